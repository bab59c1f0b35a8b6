// The environment that Go hands over to the C core: see lipc.c.

// Whether namespaced names are the system's. Otherwise they are files, whose directory depends on the environment.
extern const int ipc_abstract_names;

// Returns the name of a variable that the C core reads, NULL behind the last.
const char *ipc_variable_name(int index);

// Sets the value that the C core reads, NULL for none. It must stay valid for ever.
void ipc_variable_set(int index, const char *value);

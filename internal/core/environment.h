// The environment that Go hands over to the C core: see lipc.c.

// Returns the name of a variable that the C core reads, NULL behind the last.
const char *ipc_variable_name(int index);

// Sets the value that the C core reads, NULL for none. It must stay valid for ever.
void ipc_variable_set(int index, const char *value);

/* Names: the part that is the same on every system. The rules that differ are in lipc__name_valid(). */

static int lipc__name_make(int type, const char *text, size_t length, lipc_name *ret_name) {
    if (length == LIPC_STRLEN)
        length = strlen(text);
    int r = length == 0 ? lipc__fault(LIPC_ENAME) : lipc__name_valid(type, text, length);
    if (r < 0)
        return r;
    ret_name->type = (uint32_t)type;
    ret_name->length = (uint32_t)length;
    memcpy(ret_name->text, text, length);
    ret_name->text[length] = '\0';
    return 0;
}

int lipc_name_path(const char *text, size_t length, lipc_name *ret_name) {
    return lipc__name_make(LIPC_NAME_PATH, text, length, ret_name);
}

int lipc_name_namespaced(const char *text, size_t length, lipc_name *ret_name) {
    return lipc__name_make(LIPC_NAME_NAMESPACED, text, length, ret_name);
}

int lipc_name_parse(const char *text, size_t length, lipc_name *ret_name) {
    if (length == LIPC_STRLEN)
        length = strlen(text);
    if (length > 0 && text[0] == '@')
        return lipc_name_namespaced(text + 1, length - 1, ret_name);
    return lipc_name_path(text, length, ret_name);
}

int lipc_name_format(const lipc_name *name, char *buffer, size_t size) {
    if (name->length >= LIPC_NAME_CAPACITY)
        return lipc__fault(LIPC_ENAMETOOLONG);
    const char *prefix = "";
    if (name->type == LIPC_NAME_NAMESPACED)
        prefix = "@";
    else if (name->length > 0 && name->text[0] == '@')
        prefix = "./";
    size_t prefix_length = strlen(prefix), length = prefix_length + name->length;
    if (length >= size)
        return lipc__fault(LIPC_EMSGSIZE);
    memcpy(buffer, prefix, prefix_length);
    memcpy(buffer + prefix_length, name->text, name->length);
    buffer[length] = '\0';
    return (int)length;
}

int lipc_name_types(void) {
    return LIPC_NAME_PATH | LIPC_NAME_NAMESPACED;
}

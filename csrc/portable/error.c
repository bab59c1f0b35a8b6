/* Results: how they are packed and taken apart, and their texts. Also the rule for option structs. */

int lipc_version(void) {
    return LIPC_VERSION;
}

static int lipc__error(int code, int os) {
    return -(int)(((unsigned)code << LIPC_ERROR_OS_BITS) | ((unsigned)os & ((1u << LIPC_ERROR_OS_BITS) - 1)));
}

int lipc_error_code(int64_t result) {
    return result >= 0 ? 0 : (int)((0 - (uint64_t)result) >> LIPC_ERROR_OS_BITS);
}

int lipc_error_os(int64_t result) {
    return result >= 0 ? 0 : (int)((0 - (uint64_t)result) & ((1u << LIPC_ERROR_OS_BITS) - 1));
}

const char *lipc_error_name(int64_t result) {
    switch (lipc_error_code(result)) {
    case 0: return "success";
#define LIPC__CASE(code, number, text) \
    case number: return #code;
        LIPC_ERRORS(LIPC__CASE)
#undef LIPC__CASE
    default: return "unknown";
    }
}

const char *lipc_strerror(int64_t result) {
    switch (lipc_error_code(result)) {
    case 0: return "success";
#define LIPC__CASE(code, number, text) \
    case number: return text;
        LIPC_ERRORS(LIPC__CASE)
#undef LIPC__CASE
    default: return "unknown error";
    }
}

/* Copies the caller's options over zeroes; NULL stands for all defaults. A caller that was built against a later
 * version may pass a larger struct. What this version does not know must be 0 there, otherwise LIPC_ENOTSUP. */
static int lipc__options(void *ret_options, size_t known, const void *options) {
    size_t size = 0;
    if (options != NULL) {
        memcpy(&size, options, sizeof size);
        if (size < sizeof size)
            return lipc__fault(LIPC_EINVAL);
    }
    for (size_t i = known; i < size; i++)
        if (((const unsigned char *)options)[i] != 0)
            return lipc__fault(LIPC_ENOTSUP);
    const size_t given = size < known ? size : known;
    if (given > 0)
        memcpy(ret_options, options, given);
    memset((char *)ret_options + given, 0, known - given);
    return 0;
}

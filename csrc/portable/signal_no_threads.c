/* Sending signals to pidfds and threads, where the system does not. */
int lipc_signal_send_pidfd(lipc_handle pidfd, int signal) {
    (void)pidfd, (void)signal;
    return lipc__fault(LIPC_ENOTSUP);
}

int lipc_signal_queue_pidfd(lipc_handle pidfd, int signal, int value) {
    (void)pidfd, (void)signal, (void)value;
    return lipc__fault(LIPC_ENOTSUP);
}

int lipc_signal_send_thread(int64_t pid, int64_t thread, int signal) {
    (void)pid, (void)thread, (void)signal;
    return lipc__fault(LIPC_ENOTSUP);
}

int lipc_signal_queue_thread(int64_t pid, int64_t thread, int signal, int value) {
    (void)pid, (void)thread, (void)signal, (void)value;
    return lipc__fault(LIPC_ENOTSUP);
}

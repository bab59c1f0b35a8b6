/* The clock, and sleeping. Waiting for an operation is in operation.c. */

static int64_t lipc__now_ms(void) {
    return (int64_t)GetTickCount64();
}

static void lipc__sleep_ms(int milliseconds) {
    Sleep((DWORD)milliseconds);
}

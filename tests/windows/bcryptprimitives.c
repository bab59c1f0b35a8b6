/* The one function of bcryptprimitives.dll that Go programs need. Wine 8 lacks it, Wine 10 has it; tests/windows/run puts
 * this one into a prefix that has none. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID data, ULONG size); /* RtlGenRandom, of advapi32.dll */

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) {
    return SystemFunction036(data, (ULONG)size);
}

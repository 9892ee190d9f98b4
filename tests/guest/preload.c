/*
 * What linux.uml needs so that it runs here; the loader puts it before the C library.
 *
 * User Mode Linux before 6.13 keeps 2696 bytes of a process's floating point state, up to AVX-512. A processor with AMX
 * has 11008, and the host's kernel takes all of them or none (ptrace(2), PTRACE_SETREGSET: EFAULT), so that no guest
 * boots. This ptrace sets what the guest keeps and leaves the rest as it is. Nothing in a guest uses AMX: that takes a
 * permission nobody asks for (arch_prctl(2), ARCH_REQ_XCOMP_PERM).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef long (*ptrace_call)(int, pid_t, void *, void *);

long ptrace(enum __ptrace_request request, ...)
{
	static ptrace_call real;
	static char whole[1 << 16] __attribute__((aligned(64)));
	struct iovec part, all = { whole, sizeof whole };
	va_list arguments;
	pid_t pid;
	void *address, *data;
	long result;

	va_start(arguments, request);
	pid = va_arg(arguments, pid_t);
	address = va_arg(arguments, void *);
	data = va_arg(arguments, void *);
	va_end(arguments);
	if (!real)
		real = (ptrace_call)dlsym(RTLD_NEXT, "ptrace");

	result = real(request, pid, address, data);
	if (result != -1 || errno != EFAULT || request != PTRACE_SETREGSET ||
	    (unsigned long)address != NT_X86_XSTATE)
		return result;

	part = *(struct iovec *)data;
	if (real(PTRACE_GETREGSET, pid, address, &all) == -1 || all.iov_len <= part.iov_len) {
		errno = EFAULT;
		return -1;
	}
	memcpy(whole, part.iov_base, part.iov_len);
	return real(PTRACE_SETREGSET, pid, address, &all);
}

/* A kernel that was built for a C library from 2.38 on calls these: see tests/guest/fetch. They also take the binary
 * numbers of C23 ("0b101"), which no option of a kernel has. */
long __isoc23_strtol(const char *text, char **end, int base)
{
	return strtol(text, end, base);
}

unsigned long __isoc23_strtoul(const char *text, char **end, int base)
{
	return strtoul(text, end, base);
}

#define _GNU_SOURCE
/* Writes to a tape through io_uring, by its bare system calls: `uring NODE`.
 *
 * Prints the answer to each of three writes of 64 KiB, as liburing's copy makes them (offsets that count on), then to
 * one at the file's position, to a write(2), and to a read of that from the tape's beginning. Ends with 2 where the kernel has no io_uring for us. */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mtio.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct io_uring_params params;
static char *submissions, *completions;
static struct io_uring_sqe *entries;
static int ring;

static unsigned *at(char *base, unsigned offset)
{
    return (unsigned *)(base + offset);
}

static void *map(size_t length, off_t what)
{
    void *place = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, what);
    if (place == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return place;
}

static int by_uring(int opcode, int fd, const void *data, unsigned length, unsigned long long offset)
{
    unsigned tail = *at(submissions, params.sq_off.tail);
    unsigned place = tail & *at(submissions, params.sq_off.ring_mask);
    memset(&entries[place], 0, sizeof entries[place]);
    entries[place].opcode = opcode;
    entries[place].fd = fd;
    entries[place].addr = (unsigned long)data;
    entries[place].len = length;
    entries[place].off = offset;
    at(submissions, params.sq_off.array)[place] = place;
    __atomic_store_n(at(submissions, params.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0) {
        perror("io_uring_enter");
        exit(1);
    }
    unsigned head = *at(completions, params.cq_off.head);
    struct io_uring_cqe *cqes = (struct io_uring_cqe *)(completions + params.cq_off.cqes);
    int answer = cqes[head & *at(completions, params.cq_off.ring_mask)].res;
    __atomic_store_n(at(completions, params.cq_off.head), head + 1, __ATOMIC_RELEASE);
    return answer;
}

int main(int count, char **arguments)
{
    static char data[65536];
    if (count != 2)
        return 1;
    ring = syscall(SYS_io_uring_setup, 4, &params);
    if (ring < 0) {
        perror("io_uring_setup");
        return 2;
    }
    submissions = map(params.sq_off.array + params.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
    completions = map(params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
    entries = map(params.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
    int fd = open(arguments[1], O_WRONLY);
    if (fd < 0) {
        perror(arguments[1]);
        return 1;
    }
    for (int number = 0; number < 4; number++) {
        int answer = by_uring(IORING_OP_WRITE, fd, data, sizeof data, number < 3 ? number * sizeof data : -1ULL);
        printf("%s ", answer < 0 ? strerrorname_np(-answer) : answer == sizeof data ? "whole" : "short");
    }
    printf("%s ", write(fd, data, sizeof data) == sizeof data ? "written" : "not written");
    if (close(fd) || (fd = open(arguments[1], O_RDONLY)) < 0) {
        perror(arguments[1]);
        return 1;
    }
    struct mtop rewind = {.mt_op = MTREW, .mt_count = 1};
    ioctl(fd, MTIOCTOP, &rewind);
    int answer = by_uring(IORING_OP_READ, fd, data, sizeof data, 0);
    printf("%s ", answer < 0 ? strerrorname_np(-answer) : answer > 0 ? "something" : "nothing");
    printf("%s\n", read(fd, data, sizeof data) == sizeof data ? "read" : "not read");
    return close(fd) ? 1 : 0;
}

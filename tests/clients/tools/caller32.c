/*
 * A 32-bit program without a C library (so that no 32-bit one need be installed): writes a record of 1 MiB and a
 * filemark, asks for status and position, goes back and reads. Exit 0 and "ok" when every answer is right; else the
 * number of the step that was wrong. Exit 2 without an argument.
 *
 * The numbers and layouts are those of <linux/mtio.h> for a 32-bit caller: `long` has 4 bytes.
 */

typedef int s32;
typedef unsigned u32;

struct mtop { short op; s32 count; };
struct mtget { s32 type, resid, dsreg, gstat, erreg, fileno, blkno; };
struct mtpos { s32 blkno; };

#define MTIOCTOP 0x40086d01u
#define MTIOCGET 0x801c6d02u
#define MTIOCPOS 0x80046d03u
enum { MTREW = 6, MTWEOF = 5, MTFSF = 1 };
enum { SYS_exit = 1, SYS_read = 3, SYS_write = 4, SYS_open = 5, SYS_ioctl = 54 };

_Static_assert(sizeof(struct mtop) == 8, "struct mtop");
_Static_assert(sizeof(struct mtget) == 28, "struct mtget");

static u32 call(u32 number, u32 a, u32 b, u32 c)
{
    u32 result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
    return result;
}

static void leave(u32 code)
{
    for (;;)
        call(SYS_exit, code, 0, 0);
}

static void expect(u32 step, u32 wanted, u32 got)
{
    if (wanted != got)
        leave(step);
}

static u32 operation(u32 fd, short op, s32 count)
{
    struct mtop wanted = { op, count };
    return call(SYS_ioctl, fd, MTIOCTOP, (u32)&wanted);
}

static unsigned char record[1 << 20];

static void run(const char *node)
{
    struct mtget status;
    struct mtpos position;
    u32 index, fd = call(SYS_open, (u32)node, 2, 0);

    if (fd > 0xfffff000u)
        leave(10);
    for (index = 0; index < sizeof record; index++)
        record[index] = index * 7 + (index >> 8);
    expect(11, 0, operation(fd, MTREW, 1));
    expect(12, sizeof record, call(SYS_write, fd, (u32)record, sizeof record));
    expect(13, 0, operation(fd, MTWEOF, 1));
    expect(14, 0, call(SYS_ioctl, fd, MTIOCGET, (u32)&status));
    expect(15, 1, status.fileno);
    expect(16, 0, status.blkno);
    expect(17, 0x72, status.type);
    expect(18, 0x81000000u, status.gstat & 0xff000000u);
    expect(19, 0, call(SYS_ioctl, fd, MTIOCPOS, (u32)&position));
    expect(20, 2, position.blkno);
    expect(21, 0, operation(fd, MTREW, 1));
    for (index = 0; index < sizeof record; index++)
        record[index] = 0;
    expect(22, sizeof record, call(SYS_read, fd, (u32)record, sizeof record));
    for (index = 0; index < sizeof record; index++)
        expect(23, (unsigned char)(index * 7 + (index >> 8)), record[index]);
    expect(24, 0, call(SYS_ioctl, fd, MTIOCGET, (u32)&status));
    expect(25, 0, status.fileno);
    expect(26, 1, status.blkno);
    expect(27, 0, operation(fd, MTFSF, 1));
    call(SYS_write, 1, (u32) "ok\n", 3);
    leave(0);
}

__attribute__((used)) static void start(u32 *stack)
{
    if (stack[0] != 2)
        leave(2);
    run((const char *)stack[2]);
}

__asm__(".globl _start\n_start:\n mov %esp, %eax\n and $-16, %esp\n sub $12, %esp\n push %eax\n call start\n");

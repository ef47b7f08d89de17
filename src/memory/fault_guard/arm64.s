// The fault guard on arm64, Linux: a handler of SIGBUS in position-independent code.
//
// A load or a store past the end of a mapped file raises SIGBUS. If the address belongs to a range in
// the table, the handler maps zeroes over the pages that the file lacks and marks the range, and the
// instruction runs again. Every other SIGBUS goes to the previous handler.
//
// The code never writes to itself and has no data. It finds its table 64 KiB after its first byte.
// It may run on any thread at any moment, so it calls only the kernel and takes no lock.
// Only instructions of ARMv8.0.
//
//   table + 0    u64  previous handler: 0 SIG_DFL, 1 SIG_IGN, or an address
//   table + 8    u32  its flags (sa_flags)
//   table + 12   u32  number of rows ever used
//   table + 64   rows of 64 bytes:
//     + 0   u32  state: odd while the range is watched; changes whenever the row does
//     + 4   u32  marks: 1 a page past the end of the file was missing, 2 a page within it
//     + 8   u64  first address          + 16  u64  address after the last
//     + 24  u64  page mask: minus the size of a page
//     + 32  i64  offset of the first address in the file
//     + 40  i32  descriptor of the file; -1: all later pages are missing, -2: one page at a time
//     + 44  u32  number of faults
//
// Assemble: aarch64-linux-gnu-as arm64.s -o arm64.o &&
//           aarch64-linux-gnu-objcopy -O binary -j .text arm64.o arm64.bin

        .text
base:
        .ascii  "sluice guard 1\n\0"            // identifies the guard to other threads

        // void handler(int w0, siginfo_t *x1, void *x2)
handler:
        hint    #34                             // bti c
        sub     sp, sp, #192                    // struct stat in 0..127, arguments behind it
        stp     x0, x1, [sp, #128]
        stp     x2, x30, [sp, #144]
        ldr     w3, [x1, #8]                    // si_code
        cmp     w3, #2                          // BUS_ADRERR: not kill(2), not alignment
        b.ne    pass
        ldr     x9, [x1, #16]                   // x9: si_addr

        // Find the row.
        adr     x10, base + 0x10000
        ldr     w11, [x10, #12]                 // w11: rows left
        add     x10, x10, #64                   // x10: row
next:
        subs    w11, w11, #1
        b.lo    pass
again:
        ldar    w12, [x10]                      // w12: state, to be compared at the end
        tbz     w12, #0, skip
        ldp     x13, x14, [x10, #8]             // x13..x14: the range
        ldr     x15, [x10, #24]                 // x15: page mask
        ldr     x16, [x10, #32]                 // x16: offset in the file
        ldr     w17, [x10, #40]                 // w17: descriptor
        dmb     ishld
        ldr     w3, [x10]
        cmp     w3, w12                         // rewritten meanwhile?
        b.ne    again
        cmp     x9, x13
        b.lo    skip
        cmp     x9, x14
        b.lo    found
skip:
        add     x10, x10, #64
        b       next

        // Zeroes from x0 to x1: the part that the file lacks; one page if the file has this one.
found:
        and     x9, x9, x15                     // x9: first byte of the page
        cmn     w17, #1
        b.eq    rest
        tbnz    w17, #31, single
        mov     w0, w17
        mov     x1, sp
        mov     x8, #80                         // fstat(fd, sp)
        svc     #0
        cbnz    x0, single
        ldr     x3, [sp, #48]                   // st_size
        mov     x0, x13
        subs    x3, x3, x16                     // bytes of the range that the file has
        b.le    rest_of_range
        sub     x3, x3, x15
        sub     x3, x3, #1
        and     x3, x3, x15                     // rounded up to pages
        add     x0, x13, x3
        cmp     x9, x0
        b.lo    single
        b       rest_of_range
rest:
        mov     x0, x9
rest_of_range:
        mov     x1, x14
        mov     w12, #1
        b       lay
single:
        mov     x0, x9
        sub     x1, x9, x15
        mov     w12, #2
lay:
        sub     x1, x1, x0                      // length
        mov     x2, #3                          // PROT_READ | PROT_WRITE
        mov     x3, #0x4032                     // MAP_PRIVATE | FIXED | ANONYMOUS | NORESERVE
        mov     x4, #-1
        mov     x5, #0
        mov     x8, #222                        // mmap
        svc     #0
        cmn     x0, #4095
        b.lo    laid
        neg     x3, x15                         // not enough memory (strict overcommit, a limit):
        cmp     x1, x3                          // one page, unless it was one
        b.eq    pass
        mov     x0, x9
        sub     x1, x9, x15
        b       lay
laid:
        add     x3, x10, #4
mark:
        ldxr    w4, [x3]
        orr     w4, w4, w12
        stxr    w5, w4, [x3]
        cbnz    w5, mark
        add     x3, x10, #44
count:
        ldxr    w4, [x3]
        add     w4, w4, #1
        stxr    w5, w4, [x3]
        cbnz    w5, count
        ldr     x30, [sp, #152]
        add     sp, sp, #192
        ret

        // Call the previous handler.
pass:
        ldp     x0, x1, [sp, #128]
        adr     x10, base + 0x10000
        ldr     x3, [x10]
        ldr     w4, [x1, #8]
        cmp     x3, #1
        b.lo    default
        b.hi    chain
        cmp     w4, #0                          // SIG_IGN applies to signals that were sent
        b.gt    default
        b       leave
chain:
        ldr     w5, [x10, #8]
        tbz     w5, #31, jump                   // SA_RESETHAND: the next one finds SIG_DFL
        str     xzr, [x10]
jump:
        ldp     x2, x30, [sp, #144]
        add     sp, sp, #192
        br      x3
default:
        stp     xzr, xzr, [sp]                  // struct sigaction of the kernel: all zero
        stp     xzr, xzr, [sp, #16]
        mov     x0, #7                          // SIGBUS
        mov     x1, sp
        mov     x2, #0
        mov     x3, #8
        mov     x8, #134                        // rt_sigaction
        svc     #0
        cmp     w4, #0
        b.gt    leave                           // a fault: it repeats, and kills
        mov     x8, #172                        // getpid
        svc     #0
        mov     w9, w0
        mov     x8, #178                        // gettid
        svc     #0
        mov     w1, w0
        mov     w0, w9
        mov     x2, #7
        mov     x8, #131                        // tgkill: a signal that was sent is sent again
        svc     #0
leave:
        ldr     x30, [sp, #152]
        add     sp, sp, #192
        ret

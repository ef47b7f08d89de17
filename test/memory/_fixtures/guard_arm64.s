// Runs the fault guard of arm64 where there is no arm64: in a program of its own, under qemu-user.
//
// Without arguments: touches missing pages of a watched mapping, and ends with 0 when all is as it
// should be, or with the number of the check that failed. With an argument: touches a missing page
// that nobody watches, and must die of SIGBUS.
//
// "guard.bin" is the code of the guard.

        .set    PAGES, 0x80000
        .text
        .globl  _start
_start:
        ldr     x28, [sp]                       // argc
        adr     x0, name
        mov     x1, #0
        mov     x8, #279                        // memfd_create
        svc     #0
        mov     x27, x0
        mov     x1, #PAGES
        mov     x8, #46                         // ftruncate
        svc     #0
        bl      map_file
        mov     x20, x0                         // x20: watched
        bl      map_file
        mov     x21, x0                         // x21: not watched

        mov     x0, #0
        mov     x1, #0x20000
        mov     x2, #7
        mov     x3, #0x22
        mov     x4, #-1
        mov     x5, #0
        mov     x8, #222                        // mmap
        svc     #0
        mov     x19, x0                         // x19: code, and the table behind it
        adr     x1, guard
        adr     x2, guard_end
copy:   ldr     w3, [x1], #4
        str     w3, [x0]
        dc      cvau, x0
        dsb     ish
        ic      ivau, x0
        add     x0, x0, #4
        cmp     x1, x2
        b.lo    copy
        dsb     ish
        isb

        add     x22, x19, #0x10000              // the table
        mov     w0, #2
        str     w0, [x22, #12]                  // two rows, of which the first is not in use
        add     x23, x22, #128                  // the second
        mov     w0, #3
        str     w0, [x23]
        mov     x1, #PAGES
        add     x1, x20, x1
        stp     x20, x1, [x23, #8]
        mov     x0, #-4096
        str     x0, [x23, #24]
        str     w27, [x23, #40]
        sub     sp, sp, #32
        add     x0, x19, #16
        str     x0, [sp]
        mov     x0, #4                          // SA_SIGINFO
        str     x0, [sp, #8]
        stp     xzr, xzr, [sp, #16]
        mov     x0, #7                          // SIGBUS
        mov     x1, sp
        mov     x2, #0
        mov     x3, #8
        mov     x8, #134                        // rt_sigaction
        svc     #0
        mov     w26, #1
        cbnz    x0, fail

        mov     w25, #77
        strb    w25, [x20]
        mov     x0, x27
        mov     x1, #4096
        mov     x8, #46                         // ftruncate
        svc     #0
        cmp     x28, #1
        b.ne    elsewhere

        mov     w26, #2
        add     x1, x20, #0x3000
        ldrb    w2, [x1, #5]                    // missing: zero
        cbnz    w2, fail
        mov     w26, #3
        add     x1, x20, #0x70000
        str     x1, [x1]                        // a store, which stays
        ldr     x2, [x1]
        cmp     x1, x2
        b.ne    fail
        mov     w26, #4
        add     x1, x20, #0x1000
        ldrb    w2, [x1]
        cbnz    w2, fail
        mov     w26, #5
        ldrb    w2, [x20]                       // there: untouched
        cmp     w2, #77
        b.ne    fail
        mov     w26, #6
        ldr     w2, [x23, #4]                   // marked: past the end
        cmp     w2, #1
        b.ne    fail
        mov     w26, #7
        ldr     w2, [x23, #44]                  // one fault for all pages
        cmp     w2, #1
        b.ne    fail
        mov     w26, #0
fail:   mov     w0, w26
        mov     x8, #93                         // exit
        svc     #0

elsewhere:
        add     x21, x21, #0x3000
        ldrb    w2, [x21]
        mov     w26, #9
        b       fail

map_file:
        mov     x0, #0
        mov     x1, #PAGES
        mov     x2, #3
        mov     x3, #1
        mov     x4, x27
        mov     x5, #0
        mov     x8, #222                        // mmap
        svc     #0
        ret

name:   .asciz  "guarded"
        .balign 16
guard:  .incbin "guard.bin"
guard_end:

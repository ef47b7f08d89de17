# The fault guard on x86-64, Linux: a handler of SIGBUS in position-independent code.
#
# A load or a store past the end of a mapped file raises SIGBUS. If the address belongs to a range in
# the table, the handler maps zeroes over the pages that the file lacks and marks the range, and the
# instruction runs again. Every other SIGBUS goes to the previous handler.
#
# The code never writes to itself and has no data. It finds its table 64 KiB after its first byte.
# It may run on any thread at any moment, so it calls only the kernel and takes no lock.
#
#   table + 0    u64  previous handler: 0 SIG_DFL, 1 SIG_IGN, or an address
#   table + 8    u32  its flags (sa_flags)
#   table + 12   u32  number of rows ever used
#   table + 64   rows of 64 bytes:
#     + 0   u32  state: odd while the range is watched; changes whenever the row does
#     + 4   u32  marks: 1 a page past the end of the file was missing, 2 a page within it
#     + 8   u64  first address          + 16  u64  address after the last
#     + 24  u64  page mask: minus the size of a page
#     + 32  i64  offset of the first address in the file
#     + 40  i32  descriptor of the file; -1: all later pages are missing, -2: one page at a time
#     + 44  u32  number of faults
#
# Assemble: as x64.s -o x64.o && objcopy -O binary -j .text x64.o x64.bin

        .text
base:
        .ascii  "sluice guard 1\n\0"            # by which other threads recognise it

        # void handler(int rdi, siginfo_t *rsi, void *rdx)
handler:
        endbr64
        sub     $184, %rsp                      # struct stat in 0..143, arguments behind it
        mov     %rdi, 144(%rsp)
        mov     %rsi, 152(%rsp)
        mov     %rdx, 160(%rsp)
        cmpl    $2, 8(%rsi)                     # si_code == BUS_ADRERR: not kill(2), not alignment
        jne     pass
        mov     16(%rsi), %r10                  # si_addr

        # Find the row.
        lea     base+0x10000(%rip), %r8
        mov     12(%r8), %ecx
        add     $64, %r8                        # r8: row, ecx: rows left
next:
        sub     $1, %ecx
        jb      pass
again:
        mov     (%r8), %r9d                     # r9: state, to be compared at the end
        test    $1, %r9d
        jz      skip
        cmp     8(%r8), %r10
        jb      skip
        mov     16(%r8), %r11                   # r11: end of the range
        cmp     %r11, %r10
        jae     skip
        mov     24(%r8), %rdx                   # rdx: page mask
        and     %rdx, %r10                      # r10: first byte of the page
        cmp     (%r8), %r9d                     # rewritten meanwhile? Loads are not reordered here.
        je      found
        mov     152(%rsp), %r10
        mov     16(%r10), %r10
        jmp     again
skip:
        add     $64, %r8
        jmp     next

        # Zeroes from rdi to rsi: what the file lacks now; but one page if it has this one.
found:
        mov     %rdx, 168(%rsp)
        mov     %r10, 176(%rsp)
        mov     40(%r8), %edi
        cmp     $-1, %edi
        je      rest
        jl      single
        mov     %rsp, %rsi
        mov     $5, %eax                        # fstat(fd, rsp); spoils rcx and r11
        syscall
        mov     16(%r8), %r11
        mov     168(%rsp), %rdx
        mov     176(%rsp), %r10
        test    %rax, %rax
        jnz     single
        mov     48(%rsp), %rdi                  # st_size
        sub     32(%r8), %rdi                   # bytes of the range that the file has
        jle     whole
        sub     %rdx, %rdi
        sub     $1, %rdi
        and     %rdx, %rdi                      # rounded up to pages
        add     8(%r8), %rdi
        cmp     %rdi, %r10
        jb      single
        mov     %r11, %rsi
        mov     $1, %r9d
        jmp     lay
whole:
        mov     8(%r8), %rdi
        mov     %r11, %rsi
        mov     $1, %r9d
        jmp     lay
rest:
        mov     %r10, %rdi
        mov     %r11, %rsi
        mov     $1, %r9d
        jmp     lay
single:
        mov     %r10, %rdi
        mov     %r10, %rsi
        sub     %rdx, %rsi
        mov     $2, %r9d
lay:
        sub     %rdi, %rsi                      # length
        mov     %r10, (%rsp)
        mov     %rdx, 8(%rsp)
        mov     %rsi, 16(%rsp)
        mov     %r8, 168(%rsp)                  # the row
        mov     $3, %edx                        # PROT_READ | PROT_WRITE
        mov     $0x4032, %r10d                  # MAP_PRIVATE | FIXED | ANONYMOUS | NORESERVE
        mov     $-1, %r8
        mov     %r9d, 176(%rsp)
        xor     %r9d, %r9d
        mov     $9, %eax                        # mmap
        syscall
        mov     168(%rsp), %r8
        mov     176(%rsp), %r9d
        cmp     $-4096, %rax
        jbe     laid
        mov     (%rsp), %r10                    # no room for so much (strict overcommit, a limit):
        mov     8(%rsp), %rdx                   # one page, unless it was one
        mov     %r10, %rdi
        mov     %r10, %rsi
        sub     %rdx, %rsi
        neg     %rdx
        cmp     %rdx, 16(%rsp)
        je      pass
        neg     %rdx
        jmp     lay
laid:
        lock or %r9d, 4(%r8)
        lock incl 44(%r8)
        add     $184, %rsp
        ret

        # To whatever handled it before.
pass:
        mov     152(%rsp), %rsi
        lea     base+0x10000(%rip), %r8
        mov     (%r8), %rax
        cmp     $1, %rax
        jb      default
        ja      chain
        cmpl    $0, 8(%rsi)                     # SIG_IGN holds for signals that were sent
        jg      default
        add     $184, %rsp
        ret
chain:
        mov     8(%r8), %ecx
        test    %ecx, %ecx                      # SA_RESETHAND: the next one finds SIG_DFL
        jns     jump
        movq    $0, (%r8)
jump:
        mov     144(%rsp), %rdi
        mov     152(%rsp), %rsi
        mov     160(%rsp), %rdx
        add     $184, %rsp
        jmp     *%rax
default:
        xor     %eax, %eax                      # struct sigaction of the kernel: all zero
        mov     %rax, (%rsp)
        mov     %rax, 8(%rsp)
        mov     %rax, 16(%rsp)
        mov     %rax, 24(%rsp)
        mov     $7, %edi                        # SIGBUS
        mov     %rsp, %rsi
        xor     %edx, %edx
        mov     $8, %r10d
        mov     $13, %eax                       # rt_sigaction
        syscall
        mov     152(%rsp), %rsi
        cmpl    $0, 8(%rsi)
        jg      leave                           # a fault: it happens again, and kills
        mov     $39, %eax                       # getpid
        syscall
        mov     %eax, %edi
        mov     $186, %eax                      # gettid
        syscall
        mov     %eax, %esi
        mov     $7, %edx
        mov     $234, %eax                      # tgkill: a signal that was sent is sent again
        syscall
leave:
        add     $184, %rsp
        ret

// Chooses http/1.1 among the protocols that a client offers (ALPN), on arm64: see alpn_x64.s.
//
//   int select(SSL *x0, const unsigned char **x1 out, unsigned char *x2 outlen,
//              const unsigned char *x3 in, unsigned int w4 inlen, void *x5 arg)
//
// Only instructions of ARMv8.0 (the hint is "bti c", which older processors ignore).
//
// Assemble: aarch64-linux-gnu-as alpn_arm64.s -o arm64.o &&
//           aarch64-linux-gnu-objcopy -O binary -j .text arm64.o arm64.bin

        .text
        hint    #34
        ldr     x5, [x5]
        add     x4, x3, w4, uxtw
1:      cmp     x3, x4
        b.hs    3f
        ldrb    w6, [x3], #1
        cmp     w6, #8
        b.ne    2f
        ldr     x7, [x3]
        cmp     x7, x5
        b.ne    2f
        str     x3, [x1]
        strb    w6, [x2]
        mov     w0, #0
        ret
2:      add     x3, x3, w6, uxtw
        b       1b
3:      mov     w0, #3
        ret

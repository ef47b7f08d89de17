// Chooses http/1.1 among the protocols that a client offers (ALPN), on x64:
//
//   int select(SSL *rdi, const unsigned char **rsi out, unsigned char *rdx outlen,
//              const unsigned char *rcx in, unsigned int r8d inlen, void *r9 arg)
//
// arg points to the 8 bytes "http/1.1". OpenSSL has checked that the list is well formed: each name
// follows its length in one byte. Returns SSL_TLSEXT_ERR_OK (0), or SSL_TLSEXT_ERR_NOACK (3) if the
// list lacks the protocol.
//
// Assemble: as alpn_x64.s -o x64.o && objcopy -O binary -j .text x64.o x64.bin

        .intel_syntax noprefix
        .text
        endbr64
        mov     r9, [r9]
        mov     r8d, r8d
        add     r8, rcx
1:      cmp     rcx, r8
        jae     3f
        movzx   eax, byte ptr [rcx]
        inc     rcx
        cmp     eax, 8
        jne     2f
        cmp     [rcx], r9
        jne     2f
        mov     [rsi], rcx
        mov     byte ptr [rdx], 8
        xor     eax, eax
        ret
2:      add     rcx, rax
        jmp     1b
3:      mov     eax, 3
        ret

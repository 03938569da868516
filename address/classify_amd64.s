#include "textflag.h"

// 32 times the same byte.
#define REPEAT(name, byte8) \
	DATA name<>+0(SB)/8, byte8 \
	DATA name<>+8(SB)/8, byte8 \
	DATA name<>+16(SB)/8, byte8 \
	DATA name<>+24(SB)/8, byte8 \
	GLOBL name<>(SB), RODATA|NOPTR, $32

REPEAT(dot, $0x2e2e2e2e2e2e2e2e)
REPEAT(colon, $0x3a3a3a3a3a3a3a3a)
REPEAT(zero, $0x3030303030303030)
REPEAT(nine, $0x0909090909090909)
REPEAT(lower, $0x2020202020202020)
REPEAT(letter, $0x6161616161616161)
REPEAT(five, $0x0505050505050505)

// MASK writes to out a bit for each byte of a and b that is not 0.
#define MASK(a, b, out) \
	VPMOVMSKB a, AX \
	VPMOVMSKB b, BX \
	SHLQ $32, BX \
	ORQ  BX, AX \
	MOVQ AX, out

// func classifyAVX2(text *byte, out *mask, n int)
TEXT ·classifyAVX2(SB), NOSPLIT, $0-24
	MOVQ text+0(FP), SI
	MOVQ out+8(FP), DI
	MOVQ n+16(FP), CX
	VMOVDQU dot<>(SB), Y9
	VMOVDQU colon<>(SB), Y10
	VMOVDQU zero<>(SB), Y11
	VMOVDQU nine<>(SB), Y12
	VMOVDQU lower<>(SB), Y13
	VMOVDQU letter<>(SB), Y14
	VMOVDQU five<>(SB), Y15

block:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1

	VPCMPEQB Y9, Y0, Y2
	VPCMPEQB Y9, Y1, Y3
	MASK(Y2, Y3, 0(DI))

	VPCMPEQB Y10, Y0, Y2
	VPCMPEQB Y10, Y1, Y3
	MASK(Y2, Y3, 8(DI))

	// A digit is not more than nine above '0'.
	VPSUBB   Y11, Y0, Y2
	VPSUBB   Y11, Y1, Y3
	VPMINUB  Y12, Y2, Y4
	VPMINUB  Y12, Y3, Y5
	VPCMPEQB Y2, Y4, Y4
	VPCMPEQB Y3, Y5, Y5
	MASK(Y4, Y5, 16(DI))

	// A hexadecimal digit may also be a letter not more than five above 'a'.
	VPOR     Y13, Y0, Y2
	VPOR     Y13, Y1, Y3
	VPSUBB   Y14, Y2, Y2
	VPSUBB   Y14, Y3, Y3
	VPMINUB  Y15, Y2, Y6
	VPMINUB  Y15, Y3, Y7
	VPCMPEQB Y2, Y6, Y6
	VPCMPEQB Y3, Y7, Y7
	VPOR     Y4, Y6, Y6
	VPOR     Y5, Y7, Y7
	MASK(Y6, Y7, 24(DI))

	ADDQ $64, SI
	ADDQ $32, DI
	DECQ CX
	JNZ  block
	VZEROUPPER
	RET

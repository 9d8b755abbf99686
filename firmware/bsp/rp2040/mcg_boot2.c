/* SPDX-License-Identifier: Apache-2.0 */
/* The second stage of the RP2040's boot: the first 256 bytes of flash. The boot ROM copies them to
 * RAM, checks their CRC-32 (the last word) and runs them with LR 0. They set up the flash chip for
 * reading in place, four bits at a time, and start the program whose vector table follows.
 *
 * Facts: RP2040 data sheet, 2.8.1 (boot sequence), 4.10 (SSI), 2.19.6.4 (QSPI pads); Winbond
 * W25Q16JV data sheet, 8.1 (commands 05h, 06h, 31h, 35h, EBh). tests/boards/test_pico.py checks the
 * sum. Assembly, as the sum belongs to exactly these bytes. */

__asm__(
    ".section .mcg_boot2, \"ax\", %progbits\n"
    ".syntax unified\n"
    ".cpu cortex-m0plus\n"
    ".thumb\n"
    ".global mcg_boot2\n"
    ".type mcg_boot2, %function\n"
    ".thumb_func\n"
    "mcg_boot2:\n\t"
    "push {lr}\n\t"
    /* Pads: the clock with 8 mA and fast edges, the data without the hysteresis that delays. */
    "ldr r3, =0x40020000\n\t"
    "movs r0, #0x21\n\t"
    "str r0, [r3, #0x04]\n\t"
    "ldr r0, [r3, #0x08]\n\t"
    "movs r1, #2\n\t"
    "bics r0, r1\n\t"
    "str r0, [r3, #0x08]\n\t"
    "str r0, [r3, #0x0C]\n\t"
    "str r0, [r3, #0x10]\n\t"
    "str r0, [r3, #0x14]\n\t"

    /* Bytes, one bit at a time, at half the core's clock. r3: SSI; r4, r5: offsets in it. */
    "ldr r3, =0x18000000\n\t"
    "movs r0, #0\n\t"
    "str r0, [r3, #0x08]\n\t" /* SSIENR */
    "movs r0, #2\n\t"
    "str r0, [r3, #0x14]\n\t" /* BAUDR */
    "movs r0, #1\n\t"
    "str r0, [r3, #0x10]\n\t" /* the only chip is chosen */
    "movs r4, #0xF0\n\t"
    "str r0, [r3, r4]\n\t" /* RX_SAMPLE_DLY: half the clock leaves less than a period */
    "movs r5, #0xF4\n\t"
    "ldr r0, =0x00070000\n\t" /* 8 bits, standard, both ways */
    "str r0, [r3, #0x00]\n\t"
    "movs r0, #1\n\t"
    "str r0, [r3, #0x08]\n\t"

    /* Four bits need the chip's bit QE, which many have set for good. */
    "movs r0, #0x35\n\t"
    "bl read_status\n\t"
    "movs r1, #2\n\t"
    "tst r0, r1\n\t"
    "bne quad\n\t"
    "movs r0, #0x06\n\t" /* write enable */
    "str r0, [r3, #0x60]\n\t"
    "bl finish\n\t"
    "ldr r0, [r3, #0x60]\n\t"
    "movs r0, #0x31\n\t" /* status register 2 */
    "str r0, [r3, #0x60]\n\t"
    "movs r0, #2\n\t"
    "str r0, [r3, #0x60]\n\t"
    "bl finish\n\t"
    "ldr r0, [r3, #0x60]\n\t"
    "ldr r0, [r3, #0x60]\n"
    "1:\n\t"
    "movs r0, #0x05\n\t"
    "bl read_status\n\t"
    "movs r1, #1\n\t"
    "tst r0, r1\n\t" /* being written */
    "bne 1b\n"

    /* The first read names its command, and says with mode A0 that the next ones do not. */
    "quad:\n\t"
    "movs r0, #0\n\t"
    "str r0, [r3, #0x08]\n\t"
    "ldr r0, =0x005F0300\n\t" /* 32 bits, quad, read after an address */
    "str r0, [r3, #0x00]\n\t"
    "movs r0, #0\n\t"
    "str r0, [r3, #0x04]\n\t" /* one word */
    "ldr r0, =0x00002221\n\t" /* 4 waits, command of 8 bits on one line, address of 32 on four */
    "str r0, [r3, r5]\n\t"
    "movs r0, #1\n\t"
    "str r0, [r3, #0x08]\n\t"
    "movs r0, #0xEB\n\t"
    "str r0, [r3, #0x60]\n\t"
    "movs r0, #0xA0\n\t"
    "str r0, [r3, #0x60]\n\t"
    "bl finish\n\t"
    "movs r0, #0\n\t"
    "str r0, [r3, #0x08]\n\t"
    "ldr r0, =0xA0002022\n\t" /* mode A0 after every address, 4 waits, no command, four lines */
    "str r0, [r3, r5]\n\t"
    "movs r0, #1\n\t"
    "str r0, [r3, #0x08]\n\t"

    /* Whoever calls it to read in place again, as after programming, gets back. */
    "pop {r0}\n\t"
    "cmp r0, #0\n\t"
    "beq 2f\n\t"
    "bx r0\n"
    "2:\n\t"
    "ldr r0, =0x10000100\n\t"
    "ldr r1, =0xE000ED08\n\t"
    "str r0, [r1]\n\t" /* VTOR */
    "ldmia r0, {r0, r1}\n\t"
    "msr msp, r0\n\t"
    "bx r1\n"

    /* r0: a command → the byte that the chip answers. */
    "read_status:\n\t"
    "push {lr}\n\t"
    "str r0, [r3, #0x60]\n\t"
    "str r0, [r3, #0x60]\n\t"
    "bl finish\n\t"
    "ldr r0, [r3, #0x60]\n\t"
    "ldr r0, [r3, #0x60]\n\t"
    "pop {pc}\n"

    /* Until everything is sent (TFE) and nothing is under way (BUSY). */
    "finish:\n\t"
    "ldr r1, [r3, #0x28]\n\t"
    "movs r2, #4\n\t"
    "tst r1, r2\n\t"
    "beq finish\n\t"
    "movs r2, #1\n\t"
    "tst r1, r2\n\t"
    "bne finish\n\t"
    "bx lr\n"

    ".align 2\n"
    ".ltorg\n"
    ".space 252 - (. - mcg_boot2)\n"
    ".word 0xE45387BA\n" /* CRC-32 of the 252 bytes before */
    ".previous\n");

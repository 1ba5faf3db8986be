/* symbols.h - finds the mangled names of functions of this program, including static functions. The PTX entry of a
 * kernel has the same name. */
#ifndef EMU_SYMBOLS_H
#define EMU_SYMBOLS_H

const char *emu_symbol_at(const void *function); /* returns NULL if no function has this address */

#endif

/* symbols.h - the mangled name of a function of this program, static functions included: the PTX entry has the same
 * name. */
#ifndef EMU_SYMBOLS_H
#define EMU_SYMBOLS_H

const char *emu_symbol_at(const void *function); /* NULL: no function of this program has this address */

#endif

#ifndef SQ_LUT_H
#define SQ_LUT_H

/* The subcommands of `squall lut`. argv[0] is the subcommand's name; each returns the exit code. */

int sq_lut_import(int argc, char **argv);
extern const char sq_lut_import_help[]; /* usage, then what it does and its options */

#endif

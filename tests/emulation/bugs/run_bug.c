/* Runs one mistake of bugs.cu or ptx_only_bugs.cu, chosen by name, and prints its result. */
#include <stdio.h>

#include "bugs.h"

int main(int argc, char **argv)
{
    float result;
    if (argc != 2 || !(bug_run(argv[1], &result) || ptx_only_bug_run(argv[1], &result)))
        return fprintf(stderr, "usage: %s NAME, as in bugs.cmake\n", argv[0]), 2;
    printf("%s: %g\n", argv[1], (double)result);
    return 0;
}

#ifndef SQ_SEARCHER_TABLE_H
#define SQ_SEARCHER_TABLE_H

/* Has a table of searchers, and a table of the options that only some searchers read. The configuration's words and
 * keys, the fields of sq_search_options, the range checks and the fingerprint of a resumable search derive from these
 * rows. README.md lists the steps that add a searcher. */

/* ROW(NAME, word, STREAM)
 *
 * NAME    the enumerator is SQ_SEARCHER_<NAME>
 * word    value of search.searcher; the searcher's own file defines the operations sq_searcher_<word>
 * STREAM  the searcher's random streams start at 1 << STREAM (sq_generation_rng), far above candidate numbers;
 *         annealing also uses 43, the random baseline uses 50; 0: the searcher draws only random paths
 *
 * Add new rows at the end: the position of a row is part of the fingerprints in state.json. */
#define SQ_SEARCHER_TABLE(ROW)                                                                                         \
    ROW(EVOLUTION, evolution, 40)                                                                                      \
    ROW(RANDOM, random, 0)                                                                                             \
    ROW(NSGA2, nsga2, 41)                                                                                              \
    ROW(ANNEALING, annealing, 42)                                                                                      \
    ROW(HALVING, halving, 0)                                                                                           \
    ROW(REGULARIZED, regularized, 44)                                                                                  \
    ROW(LOCAL, local, 0)

/* INTEGER or REAL(searcher, name, default, least, most, "meaning"): the key is search.<name>. A resumed search must
 * have the same value. The order of a searcher's rows is part of the fingerprint. */
#define SQ_SEARCHER_OPTION_TABLE(INTEGER, REAL)                                                                        \
    REAL(nsga2, nsga_crossover, 0.9, 0, 1, "probability that a child has two parents")                                 \
    REAL(nsga2, nsga_mutation, 0.1, 0, 1, "probability that a layer of a child is drawn again")                        \
    REAL(annealing, temperature, 1, 1e-9, 1e15, "temperature at the start, in percentage points of top-1")             \
    REAL(annealing, final_temperature, 0.05, 1e-9, 1e15, "temperature at the end")                                     \
    INTEGER(annealing, chains, 1, 1, 1000000, "number of chains; they share the budget")                               \
    INTEGER(halving, eta, 3, 2, 1000,                                                                                  \
            "reduction factor: keep 1/eta of the candidates and score them on eta times as many images")               \
    INTEGER(halving, rungs, 3, 1, SQ_MAX_RUNGS, "number of rungs; the budget counts images, calibration included")     \
    INTEGER(regularized, sample_size, 25, 1, 1000000, "members drawn for each child; the best one is its parent")      \
    INTEGER(regularized, children, 10, 1, 1000000, "children bred in parallel; 1 is the published algorithm")

/* "evolution random ... " */
#define SQ_SEARCHER_WORD(NAME, word, STREAM) #word " "
#define SQ_SEARCHER_WORDS                    SQ_SEARCHER_TABLE(SQ_SEARCHER_WORD)

#define SQ_SEARCHER_ENUMERATOR(NAME, word, STREAM) SQ_SEARCHER_##NAME,
typedef enum { SQ_SEARCHER_TABLE(SQ_SEARCHER_ENUMERATOR) SQ_SEARCHERS } sq_searcher_kind;

enum { SQ_MAX_RUNGS = 8 };

#endif

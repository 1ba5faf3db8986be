/* The passes of resizing for AVX2. Loads and stores reach up to SQ_GROUP_BYTES and SQ_ROW_MARGIN past the end of a row;
 * the caller provides that memory. */
#include "kernels/image/resize_passes.h"

#include <immintrin.h>
#include <string.h>

/* Returns four pixels times their weights, as 32-bit sums of red, green, blue and an unused value in each half of the
 * vector. */
static inline __m256i group_sum(const uint8_t *from, const int16_t *weights, __m128i order)
{
    const __m128i bytes = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)from), order);
    return _mm256_madd_epi16(_mm256_cvtepu8_epi16(bytes), _mm256_load_si256((const __m256i *)(const void *)weights));
}

static inline void put_pixel(__m256i sum, int16_t *out)
{
    const __m128i both = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    const __m128i rounded = _mm_add_epi32(both, _mm_set1_epi32(1 << (SQ_WEIGHT_BITS - SQ_ROW_BITS - 1)));
    const __m128i row = _mm_srai_epi32(rounded, SQ_WEIGHT_BITS - SQ_ROW_BITS);
    _mm_storel_epi64((__m128i *)(void *)out,
                     _mm_packs_epi32(row, row)); /* the next pixel overwrites the fourth value */
}

/* Computes two columns, each of which reads at most two pixels, so only the first half of a group of weights is
 * used. */
static inline void put_pair(const uint8_t *row, const int *first, const int16_t *weights, int16_t *out)
{
    const __m128i order = _mm_setr_epi8(0, 3, 1, 4, 2, 5, -1, -1, 8, 11, 9, 12, 10, 13, -1, -1);
    const __m128i a = _mm_loadl_epi64((const __m128i *)(const void *)(row + first[0])),
                  b = _mm_loadl_epi64((const __m128i *)(const void *)(row + first[1])),
                  bytes = _mm_shuffle_epi8(_mm_unpacklo_epi64(a, b), order);
    const __m128i low = _mm_load_si128((const __m128i *)(const void *)weights),
                  high = _mm_load_si128((const __m128i *)(const void *)(weights + SQ_GROUP_VALUES));
    const __m256i sums = _mm256_madd_epi16(_mm256_cvtepu8_epi16(bytes), _mm256_set_m128i(high, low));
    const __m256i rounded = _mm256_add_epi32(sums, _mm256_set1_epi32(1 << (SQ_WEIGHT_BITS - SQ_ROW_BITS - 1)));
    const __m256i row_values = _mm256_srai_epi32(rounded, SQ_WEIGHT_BITS - SQ_ROW_BITS);
    const __m256i words = _mm256_packs_epi32(row_values, row_values);
    _mm_storel_epi64((__m128i *)(void *)out, _mm256_castsi256_si128(words));
    _mm_storel_epi64((__m128i *)(void *)(out + 3), _mm256_extracti128_si256(words, 1));
}

static void across(const uint8_t *row, const sq_resize_columns *columns, int16_t *out)
{
    const int *first = columns->first, limit = columns->limit, count = columns->count;
    const int16_t *weights = columns->weights;
    const __m128i order = _mm_setr_epi8(0, 3, 1, 4, 2, 5, -1, -1, 6, 9, 7, 10, 8, 11, -1, -1);
    int x = 0;
    if (limit == 2)
        for (; x + 1 < count; x += 2)
            put_pair(row, first + x, weights + (size_t)x * SQ_GROUP_VALUES, out + 3 * x);
    if (limit <= SQ_GROUP_PIXELS) {
        for (; x < count; x++)
            put_pixel(group_sum(row + first[x], weights + (size_t)x * SQ_GROUP_VALUES, order), out + 3 * x);
        return;
    }
    const int groups = (limit + SQ_GROUP_PIXELS - 1) / SQ_GROUP_PIXELS;
    for (; x < count; x++) {
        const uint8_t *from = row + first[x];
        __m256i sum = _mm256_setzero_si256();
        for (int g = 0; g < groups; g++, weights += SQ_GROUP_VALUES)
            sum = _mm256_add_epi32(sum, group_sum(from + 3 * SQ_GROUP_PIXELS * g, weights, order));
        put_pixel(sum, out + 3 * x);
    }
}

static inline __m256i load_row(const int16_t *row, int i)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)(row + i));
}

static void down(const int16_t *const *rows, const int16_t *weights, int row_count, int count, uint8_t *out)
{
    const int bits = SQ_WEIGHT_BITS + SQ_ROW_BITS;
    for (int i = 0; i < count; i += 16) {
        __m256i low = _mm256_set1_epi32(1 << (bits - 1)), high = low;
        for (int t = 0; t < row_count; t += 2) {
            int32_t pair;
            memcpy(&pair, weights + t, sizeof pair);
            const __m256i a = load_row(rows[t], i), b = load_row(rows[t + 1], i), weight = _mm256_set1_epi32(pair);
            low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), weight));
            high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), weight));
        }
        const __m256i words = _mm256_packs_epi32(_mm256_srai_epi32(low, bits), _mm256_srai_epi32(high, bits));
        const __m256i halves = _mm256_permute4x64_epi64(_mm256_packus_epi16(words, words), 0x08);
        uint8_t bytes[16];
        if (count - i >= 16) {
            _mm_storeu_si128((__m128i *)(void *)(out + i), _mm256_castsi256_si128(halves));
            continue;
        }
        _mm_storeu_si128((__m128i *)(void *)bytes, _mm256_castsi256_si128(halves));
        memcpy(out + i, bytes, (size_t)(count - i));
    }
}

const sq_resize_passes sq_resize_avx2 = {"avx2", across, down};

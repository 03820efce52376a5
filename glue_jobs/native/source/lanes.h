// Sixteen bytes at once: SSE2 on x86-64, NEON on 64-bit ARM, plain C elsewhere.
//
// A Mask has STEP bits for each of the sixteen bytes, the first byte's lowest.
#pragma once
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(NDJSON_PLAIN)
#include <emmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_NEON) && !defined(NDJSON_PLAIN)
#include <arm_neon.h>
#endif

namespace ndjson {

#if defined(__SSE2__) && !defined(NDJSON_PLAIN)

using Lane = __m128i;
using Mask = uint32_t;
constexpr int STEP = 1;
inline Lane load(const char *p) { return _mm_loadu_si128(reinterpret_cast<const __m128i *>(p)); }
inline void store(uint8_t *p, Lane v) { _mm_storeu_si128(reinterpret_cast<__m128i *>(p), v); }
// Bytes that end a run of text: quote, backslash, control.
inline Mask stops(Lane v) {
  const Lane quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
  const Lane escape = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
  const Lane control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
  return static_cast<Mask>(_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, escape), control)));
}
// Bytes that are not ASCII.
inline Mask high(Lane v) { return static_cast<Mask>(_mm_movemask_epi8(v)); }
inline Mask equal(Lane a, Lane b) { return static_cast<Mask>(_mm_movemask_epi8(_mm_cmpeq_epi8(a, b))); }
inline int first(Mask mask) { return __builtin_ctz(mask); }

#elif defined(__aarch64__) && defined(__ARM_NEON) && !defined(NDJSON_PLAIN)

using Lane = uint8x16_t;
using Mask = uint64_t;
constexpr int STEP = 4;
inline Lane load(const char *p) { return vld1q_u8(reinterpret_cast<const uint8_t *>(p)); }
inline void store(uint8_t *p, Lane v) { vst1q_u8(p, v); }
inline Mask narrowed(Lane v) {
  return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(v), 4)), 0);
}
inline Mask stops(Lane v) {
  const Lane quote = vceqq_u8(v, vdupq_n_u8('"'));
  const Lane escape = vceqq_u8(v, vdupq_n_u8('\\'));
  return narrowed(vorrq_u8(vorrq_u8(quote, escape), vcltq_u8(v, vdupq_n_u8(0x20))));
}
inline Mask high(Lane v) { return narrowed(vcgeq_u8(v, vdupq_n_u8(0x80))); }
inline Mask equal(Lane a, Lane b) { return narrowed(vceqq_u8(a, b)); }
inline int first(Mask mask) { return __builtin_ctzll(mask) / STEP; }

#else

struct Lane {
  uint8_t bytes[16];
};
using Mask = uint32_t;
constexpr int STEP = 1;
inline Lane load(const char *p) {
  Lane v;
  memcpy(v.bytes, p, 16);
  return v;
}
inline void store(uint8_t *p, const Lane &v) { memcpy(p, v.bytes, 16); }
inline Mask stops(const Lane &v) {
  Mask mask = 0;
  for (int i = 0; i < 16; i++)
    mask |= static_cast<Mask>(v.bytes[i] == '"' || v.bytes[i] == '\\' || v.bytes[i] < 0x20) << i;
  return mask;
}
inline Mask high(const Lane &v) {
  Mask mask = 0;
  for (int i = 0; i < 16; i++) mask |= static_cast<Mask>(v.bytes[i] >> 7) << i;
  return mask;
}
inline Mask equal(const Lane &a, const Lane &b) {
  Mask mask = 0;
  for (int i = 0; i < 16; i++) mask |= static_cast<Mask>(a.bytes[i] == b.bytes[i]) << i;
  return mask;
}
inline int first(Mask mask) { return __builtin_ctz(mask); }

#endif

// The bits of the first `count` bytes, 0 to 16.
inline Mask below(int count) {
  return static_cast<Mask>(count * STEP >= 64 ? ~0ull : (1ull << (count * STEP)) - 1);
}

}  // namespace ndjson

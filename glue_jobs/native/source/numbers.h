// Numbers of JSON as the types of columns hold them: exactly, or not at all.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

namespace ndjson {

using uint128 = unsigned __int128;
using int128 = __int128;

// How a number fits its type. What is unsure is Python's to judge.
enum class Fit { EXACT, INEXACT, OUT_OF_RANGE, UNSURE };

inline bool is_digit(char c) { return static_cast<uint8_t>(c - '0') < 10; }

inline bool ends_value(char c) {
  return c == ',' || c == '}' || c == ']' || c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

constexpr int KEPT_DIGITS = 40;
constexpr int64_t FARTHEST = 1'000'000'000'000;

// A number as it is written: its digits without zeros at both ends, times ten to the exponent.
struct Number {
  const char *begin, *end;
  bool is_negative, is_whole;  // whole: without fraction and exponent
  int64_t digits;              // 0 where the number is zero; only the first KEPT_DIGITS are kept
  int64_t exponent;            // of the last digit
  uint8_t kept[KEPT_DIGITS];

  // The digits and `zeros` more; there must be at most 38 of both.
  uint128 value(int64_t zeros) const {
    uint128 sum = 0;
    for (int64_t i = 0; i < digits; i++) sum = sum * 10 + kept[i];
    for (int64_t i = 0; i < zeros; i++) sum *= 10;
    return sum;
  }
};

// Reads a number; false where it is none.
inline bool read_number(const char *p, Number &number) {
  number.begin = p;
  number.is_negative = *p == '-';
  p += number.is_negative;
  const char *const whole = p;
  while (is_digit(*p)) p++;
  const int64_t whole_digits = p - whole;
  if (whole_digits == 0 || (whole_digits > 1 && *whole == '0')) return false;
  const char *fraction = p;
  int64_t fraction_digits = 0;
  number.is_whole = true;
  if (*p == '.') {
    number.is_whole = false;
    fraction = ++p;
    while (is_digit(*p)) p++;
    fraction_digits = p - fraction;
    if (fraction_digits == 0) return false;
  }
  int64_t exponent = 0;
  if (*p == 'e' || *p == 'E') {
    number.is_whole = false;
    p++;
    const bool is_negative = *p == '-';
    if (*p == '+' || *p == '-') p++;
    const char *const begin = p;
    for (; is_digit(*p); p++)
      if (exponent < FARTHEST) exponent = exponent * 10 + (*p - '0');
    if (p == begin) return false;
    if (is_negative) exponent = -exponent;
  }
  number.end = p;
  const int64_t all = whole_digits + fraction_digits;
  auto digit = [&](int64_t i) { return i < whole_digits ? whole[i] : fraction[i - whole_digits]; };
  int64_t from = 0, to = all;
  while (from < to && digit(from) == '0') from++;
  while (to > from && digit(to - 1) == '0') to--;
  number.digits = to - from;
  number.exponent = number.digits ? exponent - fraction_digits + (all - to) : 0;
  for (int64_t i = 0; i < number.digits && i < KEPT_DIGITS; i++)
    number.kept[i] = static_cast<uint8_t>(digit(from + i) - '0');
  return true;
}

// A whole number of 64 bits.
inline Fit as_int64(const Number &number, int64_t &out) {
  out = 0;
  if (!number.digits) return Fit::EXACT;
  if (number.exponent < 0) return Fit::INEXACT;
  if (number.digits + number.exponent > 19) return Fit::OUT_OF_RANGE;
  const uint64_t value = static_cast<uint64_t>(number.value(number.exponent));
  if (value > static_cast<uint64_t>(INT64_MAX) + number.is_negative) return Fit::OUT_OF_RANGE;
  out = static_cast<int64_t>(number.is_negative ? 0 - value : value);
  return Fit::EXACT;
}

// A multiple of ten to minus the scale, of so many digits in all.
inline Fit as_decimal(const Number &number, int precision, int scale, int128 &out) {
  out = 0;
  if (!number.digits) return Fit::EXACT;
  const int64_t zeros = number.exponent + scale;
  if (zeros < 0) return Fit::INEXACT;
  if (number.digits + zeros > precision) return Fit::OUT_OF_RANGE;
  const int128 value = static_cast<int128>(number.value(zeros));
  out = number.is_negative ? -value : value;
  return Fit::EXACT;
}

// The double next to digits times ten to an exponent. Without a point in the text the locale has no say.
inline double read_double(const char *digits, int64_t count, int64_t exponent) {
  char text[400];
  memcpy(text, digits, static_cast<size_t>(count));
  snprintf(text + count, 32, "e%lld", static_cast<long long>(exponent));
  return strtod(text, nullptr);
}

constexpr int64_t LONGEST_WHOLE = 310;  // with its sign; no finite double has more

// A whole number that a double holds exactly.
inline Fit whole_as_double(const Number &number, double &out) {
  out = number.is_negative ? -0.0 : 0.0;
  if (!number.digits) return Fit::EXACT;
  if (number.digits + number.exponent <= 38) {
    const uint128 value = number.value(number.exponent);
    uint128 odd = value;
    while (!(odd & 1)) odd >>= 1;
    if (odd >> 53) return Fit::INEXACT;
    out = static_cast<double>(value);
    if (number.is_negative) out = -out;
    return Fit::EXACT;
  }
  if (number.end - number.begin > LONGEST_WHOLE) return Fit::OUT_OF_RANGE;
  const char *const digits = number.begin + number.is_negative;
  const int64_t count = number.end - digits;
  const double size = read_double(digits, count, 0);
  if (!__builtin_isfinite(size)) return Fit::OUT_OF_RANGE;
  char printed[LONGEST_WHOLE + 16];
  if (snprintf(printed, sizeof printed, "%.0f", size) != count) return Fit::INEXACT;
  if (memcmp(printed, digits, static_cast<size_t>(count))) return Fit::INEXACT;
  out = number.is_negative ? -size : size;
  return Fit::EXACT;
}

constexpr int64_t MOST_DIGITS = 17;

// Reads digits that were printed; the point stands among them as the locale writes it.
inline uint64_t printed_digits(const char *&s, int64_t count) {
  uint64_t value = 0;
  for (int64_t i = 0; i < count; i++) {
    while (!is_digit(*s)) s++;
    value = value * 10 + static_cast<uint64_t>(*s++ - '0');
  }
  return value;
}

inline bool is_printed(const char *printed, const char *digits, int64_t n, int64_t magnitude) {
  const uint64_t found = printed_digits(printed, n);
  return found == printed_digits(digits, n) && *printed == 'e' && strtol(printed + 1, nullptr, 10) == magnitude;
}

// Whether a double lies exactly between the number of these digits and a neighbour of as many digits: it gives
// both back, whichever of them is printed.
inline bool is_halfway(double size, const char *digits, int64_t n, int64_t magnitude) {
  constexpr int ALL_DIGITS = 780;  // no double has more
  char printed[ALL_DIGITS + 32];
  if (snprintf(printed, sizeof printed, "%.*e", ALL_DIGITS, size) < ALL_DIGITS) return false;
  const char *s = printed;
  const uint64_t below = printed_digits(s, n), wanted = printed_digits(digits, n);
  if (printed_digits(s, 1) != 5) return false;
  while (*s == '0' || (!is_digit(*s) && *s != 'e')) s++;
  if (*s != 'e' || strtol(s + 1, nullptr, 10) != magnitude) return false;
  return wanted == below || wanted == below + 1;
}

// A number with fraction or exponent that a double gives back as it was written.
inline Fit fraction_as_double(const Number &number, double &out) {
  out = number.is_negative ? -0.0 : 0.0;
  if (!number.digits) return Fit::EXACT;
  const int64_t n = number.digits;
  // The first digit stands for ten to this; the largest double begins with 1.8e308.
  const int64_t magnitude = number.exponent + n - 1;
  if (magnitude > 308) return Fit::OUT_OF_RANGE;
  if (n > MOST_DIGITS) {
    if (magnitude < 308) return Fit::INEXACT;
    // From 1.797693134862315807...e308 on the next double is infinite.
    uint64_t leading = 0;
    for (int i = 0; i < MOST_DIGITS; i++) leading = leading * 10 + number.kept[i];
    if (leading == 17'976'931'348'623'158) return Fit::UNSURE;
    return leading < 17'976'931'348'623'158 ? Fit::INEXACT : Fit::OUT_OF_RANGE;
  }
  if (magnitude < -400) return Fit::INEXACT;
  char digits[MOST_DIGITS];
  for (int64_t i = 0; i < n; i++) digits[i] = static_cast<char>('0' + number.kept[i]);
  const double size = read_double(digits, n, number.exponent);
  if (!__builtin_isfinite(size)) return Fit::OUT_OF_RANGE;
  if (size == 0) return Fit::INEXACT;
  char printed[64];
  snprintf(printed, sizeof printed, "%.*e", static_cast<int>(n) - 1, size);
  if (!is_printed(printed, digits, n, magnitude) && !is_halfway(size, digits, n, magnitude)) return Fit::INEXACT;
  out = number.is_negative ? -size : size;
  return Fit::EXACT;
}

// Powers of ten that doubles hold exactly.
constexpr double TENS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                           1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr int MOST_TENS = 22;
// Of the reciprocals below; numbers of 16 and 17 digits between 1e-11 and 1 have as many.
constexpr int MOST_TENTHS = 27;
constexpr uint64_t EXACT_WHOLE = 1ull << 53;
constexpr uint64_t FIFTEEN_DIGITS = 1'000'000'000'000'000;
constexpr uint64_t SEVENTEEN_DIGITS = 100'000'000'000'000'000;

// floor(2^(127 + b) / 10^k), where 2^b is the largest power of two up to 10^k.
struct Tenth {
  uint128 reciprocal;
  int b;
};
struct Tenths {
  Tenth of[MOST_TENTHS + 1];
};
constexpr Tenths make_tenths() {
  Tenths made{};
  uint128 power = 1;
  for (int k = 0; k <= MOST_TENTHS; k++, power *= 10) {
    int b = 0;
    while (power >> (b + 1)) b++;
    // Long division of 2^(127 + b), bit by bit; the remainder stays below 10^27 < 2^90.
    uint128 quotient = 0, remainder = 0;
    for (int bit = 127 + b; bit >= 0; bit--) {
      remainder = remainder << 1 | (bit == 127 + b ? 1 : 0);
      quotient <<= 1;
      if (remainder >= power) {
        remainder -= power;
        quotient |= 1;
      }
    }
    made.of[k] = Tenth{quotient, b};
  }
  return made;
}
constexpr Tenths TENTHS = make_tenths();

// Powers of five: 10^k is 5^k * 2^k.
struct Fives {
  uint64_t of[MOST_TENTHS + 1];
};
constexpr Fives make_fives() {
  Fives made{};
  uint64_t power = 1;
  for (int k = 0; k <= MOST_TENTHS; k++, power *= 5) made.of[k] = power;  // 5^27 < 2^63
  return made;
}
constexpr Fives FIVES = make_fives();

// The double next to m / 10^k, and whether it gives that back, in a few multiplications. False where it can't
// tell.
//
// m has 15 to 17 digits and does not end in zero. The quotient's first 126 bits show the double, mantissa * 2^e,
// unless it lies nearly between two. It gives m / 10^k back where they differ by at most half of 10^-k; times
// 10^k that is |mantissa * 5^k - m * 2^-(e + k)| <= 2^-(e + k) / 2, whole numbers of less than 2^117.
inline bool divided(uint64_t m, int k, double &out, Fit &fit) {
  const Tenth &tenth = TENTHS.of[k];
  const int zeros = __builtin_clzll(m);
  const uint64_t raised = m << zeros;
  const uint128 low = static_cast<uint128>(raised) * static_cast<uint64_t>(tenth.reciprocal);
  const uint128 top = static_cast<uint128>(raised) * static_cast<uint64_t>(tenth.reciprocal >> 64);
  const uint128 quotient = top + (low >> 64);  // at most 2 too small
  const int bits = 128 - __builtin_clzll(static_cast<uint64_t>(quotient >> 64));
  const int shift = bits - 53;
  uint64_t mantissa = static_cast<uint64_t>(quotient >> shift);
  const uint128 unit = static_cast<uint128>(1) << shift, half = unit >> 1;
  const uint128 remainder = quotient & (unit - 1);
  if (remainder + 4 >= half && remainder <= half + 4) return false;
  mantissa += remainder > half;
  const int exponent = shift - 63 - zeros - tenth.b;
  const int raise = -(exponent + k);
  if (mantissa >> 53 || raise < 1) return false;
  const uint64_t pattern = static_cast<uint64_t>(1023 + 52 + exponent) << 52 | (mantissa & ((1ull << 52) - 1));
  memcpy(&out, &pattern, sizeof out);
  const uint128 found = static_cast<uint128>(mantissa) * FIVES.of[k], wanted = static_cast<uint128>(m) << raise;
  const uint128 off = found > wanted ? found - wanted : wanted - found;
  fit = off <= static_cast<uint128>(1) << (raise - 1) ? Fit::EXACT : Fit::INEXACT;
  return true;
}

}  // namespace ndjson

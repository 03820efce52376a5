// Dates and instants as text or numbers.
#pragma once
#include "numbers.h"

namespace ndjson {

constexpr int64_t SECOND = 1'000'000;
constexpr int64_t DAY = 86'400 * SECOND;
constexpr int64_t FIRST_DAY = -719'162;   // 0001-01-01
constexpr int64_t LAST_DAY = 2'932'896;   // 9999-12-31
constexpr int64_t FIRST_INSTANT = FIRST_DAY * DAY;
constexpr int64_t LAST_INSTANT = (LAST_DAY + 1) * DAY - 1;

// Days since 1970-01-01 of a date of our calendar, by counting years from March.
inline int64_t days_of(int year, int month, int day) {
  const int64_t y = month <= 2 ? year - 1 : year;
  const int64_t era = (y >= 0 ? y : y - 399) / 400;
  const int64_t of_era = y - era * 400;
  const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719'468;
}

inline int days_in(int year, int month) {
  constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return days[month - 1] + (month == 2 && is_leap);
}

// Reads so many digits; -1 where they are none.
inline int digits_at(const char *p, int count) {
  int value = 0;
  for (int i = 0; i < count; i++) {
    if (!is_digit(p[i])) return -1;
    value = value * 10 + (p[i] - '0');
  }
  return value;
}

enum class Moment { FITS, NOT_ONE, FINER, OUT_OF_RANGE };

// `YYYY-MM-DD` at p, which has ten letters. Of the year 0 too: a zone may bring its last hours into the year 1.
inline Moment read_day(const char *p, int &year, int64_t &days) {
  const int month = digits_at(p + 5, 2), day = digits_at(p + 8, 2);
  year = digits_at(p, 4);
  if (p[4] != '-' || p[7] != '-' || year < 0 || month < 0 || day < 0) return Moment::NOT_ONE;
  if (month < 1 || month > 12 || day < 1 || day > days_in(year, month)) return Moment::OUT_OF_RANGE;
  days = days_of(year, month, day);
  return Moment::FITS;
}

inline Moment as_date(const char *p, int64_t length, int32_t &out) {
  if (length != 10) return Moment::NOT_ONE;
  int year;
  int64_t days = 0;
  const Moment found = read_day(p, year, days);
  out = static_cast<int32_t>(days);
  return found == Moment::FITS && year == 0 ? Moment::OUT_OF_RANGE : found;
}

// `YYYY-MM-DD`, T, t or space, `HH:MM[:SS[.digits]]`, and Z, z or `+HH[:MM]` if any.
inline Moment as_instant(const char *p, int64_t length, int64_t &out) {
  if (length < 16) return Moment::NOT_ONE;
  const char *const end = p + length;
  int year;
  int64_t days = 0;
  const Moment day = read_day(p, year, days);
  if (day == Moment::NOT_ONE || (p[10] != 'T' && p[10] != 't' && p[10] != ' ')) return Moment::NOT_ONE;
  const int hour = digits_at(p + 11, 2), minute = digits_at(p + 14, 2);
  if (p[13] != ':' || hour < 0 || minute < 0) return Moment::NOT_ONE;
  p += 16;
  int second = 0;
  int64_t micros = 0;
  bool is_finer = false;
  if (end - p >= 3 && *p == ':') {
    second = digits_at(p + 1, 2);
    if (second < 0) return Moment::NOT_ONE;
    p += 3;
    if (p < end && *p == '.') {
      const char *const fraction = ++p;
      int64_t unit = 100'000;
      for (; p < end && is_digit(*p); p++, unit /= 10) {
        micros += (*p - '0') * unit;
        is_finer = is_finer || (unit == 0 && *p != '0');
      }
      if (p == fraction) return Moment::NOT_ONE;
    }
  }
  int ahead_hours = 0, ahead_minutes = 0;
  bool is_west = false;
  if (p < end && (*p == 'Z' || *p == 'z')) {
    p++;
  } else if (end - p >= 3 && (*p == '+' || *p == '-')) {
    is_west = *p == '-';
    ahead_hours = digits_at(p + 1, 2);
    p += 3;
    if (end - p == 3 && *p == ':') {
      ahead_minutes = digits_at(p + 1, 2);
      p += 3;
    }
    if (ahead_hours < 0 || ahead_minutes < 0) return Moment::NOT_ONE;
  }
  if (p != end) return Moment::NOT_ONE;
  if (day != Moment::FITS || hour > 23 || minute > 59 || second > 59 || ahead_hours > 23 || ahead_minutes > 59)
    return Moment::OUT_OF_RANGE;
  if (is_finer) return Moment::FINER;
  const int64_t ahead = (ahead_hours * 60 + ahead_minutes) * (is_west ? -1 : 1);
  out = days * DAY + ((hour * 60 + minute - ahead) * 60 + second) * SECOND + micros;
  return out < FIRST_INSTANT || out > LAST_INSTANT ? Moment::OUT_OF_RANGE : Moment::FITS;
}

// A number of units since 1970, where a unit is ten to minus `digits` of a second.
inline Fit number_as_instant(const Number &number, int digits, int64_t &out) {
  out = 0;
  if (!number.digits) return Fit::EXACT;
  const int64_t zeros = number.exponent + 6 - digits;
  // Beyond all years, whether it is whole or not.
  if (number.digits + zeros > 18) return zeros < 0 ? Fit::INEXACT : Fit::OUT_OF_RANGE;
  if (zeros < 0) return Fit::INEXACT;
  out = static_cast<int64_t>(number.value(zeros));
  if (number.is_negative) out = -out;
  return out < FIRST_INSTANT || out > LAST_INSTANT ? Fit::OUT_OF_RANGE : Fit::EXACT;
}

}  // namespace ndjson

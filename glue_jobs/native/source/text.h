// JSON text: its escapes, its UTF-8, and how Python's json writes it.
#pragma once
#include "lanes.h"
#include "memory.h"

namespace ndjson {

// Why a line is left; the numbers are known to builder.py.
enum Why : int32_t {
  OK = 0,
  SYNTAX = 1,
  TYPE = 2,
  UNKNOWN = 3,
  DUPLICATE = 4,
  UTF8 = 5,
  RANGE = 6,
  DEPTH = 7,
  SURROGATE = 8,
  FULL = 9,
};

inline bool is_utf8(const uint8_t *s, const uint8_t *e) {
  while (s < e) {
    const uint8_t c = *s;
    if (c < 0x80) {
      s++;
      continue;
    }
    if (c < 0xc2) return false;
    if (c < 0xe0) {
      if (e - s < 2 || (s[1] & 0xc0) != 0x80) return false;
      s += 2;
    } else if (c < 0xf0) {
      if (e - s < 3 || (s[1] & 0xc0) != 0x80 || (s[2] & 0xc0) != 0x80) return false;
      if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] >= 0xa0)) return false;
      s += 3;
    } else if (c < 0xf5) {
      if (e - s < 4 || (s[1] & 0xc0) != 0x80 || (s[2] & 0xc0) != 0x80 || (s[3] & 0xc0) != 0x80) return false;
      if ((c == 0xf0 && s[1] < 0x90) || (c == 0xf4 && s[1] >= 0x90)) return false;
      s += 4;
    } else {
      return false;
    }
  }
  return true;
}

// Writes a code point; a lone surrogate too, as the three bytes that UTF-8 forbids.
inline uint8_t *put_utf8(uint8_t *d, uint32_t point) {
  if (point < 0x80) {
    *d++ = static_cast<uint8_t>(point);
  } else if (point < 0x800) {
    *d++ = static_cast<uint8_t>(0xc0 | point >> 6);
    *d++ = static_cast<uint8_t>(0x80 | (point & 63));
  } else if (point < 0x10000) {
    *d++ = static_cast<uint8_t>(0xe0 | point >> 12);
    *d++ = static_cast<uint8_t>(0x80 | (point >> 6 & 63));
    *d++ = static_cast<uint8_t>(0x80 | (point & 63));
  } else {
    *d++ = static_cast<uint8_t>(0xf0 | point >> 18);
    *d++ = static_cast<uint8_t>(0x80 | (point >> 12 & 63));
    *d++ = static_cast<uint8_t>(0x80 | (point >> 6 & 63));
    *d++ = static_cast<uint8_t>(0x80 | (point & 63));
  }
  return d;
}

// Four hex digits; -1 where they are none. Stops at the first that is none, so it never passes a line's end.
inline int hex4(const char *p) {
  int value = 0;
  for (int i = 0; i < 4; i++) {
    const char c = p[i];
    int digit;
    if (c >= '0' && c <= '9') digit = c - '0';
    else if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
    else if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
    else return -1;
    value = value * 16 + digit;
  }
  return value;
}

// Reads an escape; p stands behind its backslash, and then behind it. False where it is none.
inline bool read_escape(const char *&p, uint32_t &point, bool &is_lone) {
  const char c = *p++;
  switch (c) {
    case '"': case '\\': case '/': point = static_cast<uint8_t>(c); return true;
    case 'b': point = '\b'; return true;
    case 'f': point = '\f'; return true;
    case 'n': point = '\n'; return true;
    case 'r': point = '\r'; return true;
    case 't': point = '\t'; return true;
    case 'u': break;
    default: p--; return false;
  }
  const int unit = hex4(p);
  if (unit < 0) return false;
  p += 4;
  point = static_cast<uint32_t>(unit);
  if (unit < 0xd800 || unit >= 0xe000) return true;
  if (unit < 0xdc00 && p[0] == '\\' && p[1] == 'u') {
    const int low = hex4(p + 2);
    if (low >= 0xdc00 && low < 0xe000) {
      p += 6;
      point = 0x10000 + ((static_cast<uint32_t>(unit) - 0xd800) << 10) + (static_cast<uint32_t>(low) - 0xdc00);
      return true;
    }
  }
  is_lone = true;
  return true;
}

// Decodes text that has escapes. p stands behind the opening quote, and then behind the closing one; `to` has
// room for the line. SURROGATE where there is a lone one: then neither p nor the rest is to be used.
inline Why decode_text(const char *&p, uint8_t *to, int64_t &length) {
  uint8_t *d = to;
  const char *s = p;
  bool is_ascii = true;
  for (;;) {
    const uint8_t c = static_cast<uint8_t>(*s);
    if (c == '"') break;
    if (c < 0x20) return SYNTAX;
    if (c != '\\') {
      is_ascii = is_ascii && c < 0x80;
      *d++ = c;
      s++;
      continue;
    }
    s++;
    uint32_t point;
    bool is_lone = false;
    if (!read_escape(s, point, is_lone)) return SYNTAX;
    if (is_lone) return SURROGATE;
    d = put_utf8(d, point);
  }
  length = d - to;
  p = s + 1;
  return is_ascii || is_utf8(to, d) ? OK : UTF8;
}

constexpr char HEX[] = "0123456789abcdef";

inline uint8_t *put_unit(uint8_t *d, uint32_t unit) {
  *d++ = '\\';
  *d++ = 'u';
  for (int shift = 12; shift >= 0; shift -= 4) *d++ = static_cast<uint8_t>(HEX[unit >> shift & 15]);
  return d;
}

// Writes a code point as Python's encode_basestring does; at most 6 bytes.
inline uint8_t *put_encoded(uint8_t *d, uint32_t point) {
  char short_form = 0;
  switch (point) {
    case '"': case '\\': short_form = static_cast<char>(point); break;
    case '\b': short_form = 'b'; break;
    case '\f': short_form = 'f'; break;
    case '\n': short_form = 'n'; break;
    case '\r': short_form = 'r'; break;
    case '\t': short_form = 't'; break;
    default: return point < 0x20 ? put_unit(d, point) : put_utf8(d, point);
  }
  *d++ = '\\';
  *d++ = static_cast<uint8_t>(short_form);
  return d;
}

// Copies text as Python's json would write it, quotes included. p stands behind the opening quote, and then
// behind the closing one. Lone surrogates come as their three bytes, and are told.
inline Why copy_text(const char *&p, Text &out, bool &has_lone) {
  out.put('"');
  const char *s = p;
  for (;;) {
    const char *run = s;
    Mask not_ascii = 0;
    for (;;) {
      const Lane v = load(s);
      store(out.end(16), v);
      const Mask stop = stops(v);
      if (LIKELY(stop)) {
        const int count = first(stop);
        not_ascii |= high(v) & below(count);
        out.length += count;
        s += count;
        break;
      }
      not_ascii |= high(v);
      out.length += 16;
      s += 16;
    }
    // No escape stands inside a letter, so each run is UTF-8 by itself.
    if (UNLIKELY(not_ascii) &&
        !is_utf8(reinterpret_cast<const uint8_t *>(run), reinterpret_cast<const uint8_t *>(s)))
      return UTF8;
    if (LIKELY(*s == '"')) break;
    if (*s != '\\') return SYNTAX;
    s++;
    uint32_t point;
    if (!read_escape(s, point, has_lone)) return SYNTAX;
    uint8_t *d = out.end(8);
    out.length += put_encoded(d, point) - d;
  }
  out.put('"');
  p = s + 1;
  return OK;
}

// Writes everything of `out` from a place on as Python's encode_basestring_ascii does.
inline void to_ascii(Text &out, int64_t from, Text &scratch) {
  scratch.length = 0;
  scratch.put(out.room.p + from, out.length - from);
  out.length = from;
  const uint8_t *s = scratch.room.p, *e = s + scratch.length;
  while (s < e) {
    uint8_t *d = out.end(12), *const begin = d;
    const uint8_t c = *s;
    if (c < 0x7f) {
      *d++ = c;
      s++;
    } else if (c == 0x7f) {
      d = put_unit(d, c);
      s++;
    } else if (c < 0xe0) {
      d = put_unit(d, (c & 0x1fu) << 6 | (s[1] & 0x3fu));
      s += 2;
    } else if (c < 0xf0) {
      d = put_unit(d, (c & 0xfu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu));
      s += 3;
    } else {
      const uint32_t point = ((c & 7u) << 18 | (s[1] & 0x3fu) << 12 | (s[2] & 0x3fu) << 6 | (s[3] & 0x3fu)) - 0x10000;
      d = put_unit(put_unit(d, 0xd800 + (point >> 10)), 0xdc00 + (point & 0x3ff));
      s += 4;
    }
    out.length += d - begin;
  }
}

}  // namespace ndjson

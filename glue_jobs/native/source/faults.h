// What is wrong with a line, as Python's json says it: the kind of the fault and where it is.
//
// It goes the way of CPython's own scanner (Modules/_json.c), so that the first fault is the same one. What is
// rare, or said in other words by another version of Python, is left to Python.
#pragma once
#include "parser.h"

namespace ndjson {

// The numbers are known to builder.py.
enum class Fault : int32_t {
  UNKNOWN,  // Python is to say
  VALUE,
  NAME,
  COLON,
  COMMA,
  EXTRA,
  OPEN_TEXT,
  CONTROL,
  DUPLICATE,
  // JSON, but no object.
  ARRAY,
  TEXT,
  NUMBER,
  BOOLEAN,
  NOTHING,
};

// A line between its first and its last sign that is no white space.
struct Diagnosis {
  Parser &parser;
  const char *const begin, *const end;
  Fault fault;
  const char *place;

  bool fails(Fault found, const char *at) {
    fault = found;
    place = at;
    return false;
  }
  bool is(const char *p, char c) const { return p < end && *p == c; }
  const char *past_blanks(const char *p) const {
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r')) p++;
    return p;
  }

  // p stands behind the opening quote, and then behind the closing one.
  bool text(const char *&p) {
    const char *const quote = p - 1;
    for (;;) {
      while (p < end && *p != '"' && *p != '\\' && static_cast<uint8_t>(*p) >= 0x20) p++;
      if (p == end) return fails(Fault::OPEN_TEXT, quote);
      if (static_cast<uint8_t>(*p) < 0x20) return fails(Fault::CONTROL, p);
      if (*p++ == '"') return true;
      if (p == end) return fails(Fault::OPEN_TEXT, quote);
      switch (*p++) {
        case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't': break;
        case 'u':
          for (int i = 0; i < 4; i++, p++)
            if (p == end || !is_hex(*p)) return fails(Fault::UNKNOWN, p);
          // That these are the last signs is another fault than that the text is open.
          if (p == end) return fails(Fault::UNKNOWN, p);
          break;
        default: return fails(Fault::UNKNOWN, p);
      }
    }
  }
  static bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  }

  bool word(const char *&p, const char *wanted) {
    const size_t length = strlen(wanted);
    if (static_cast<size_t>(end - p) < length || memcmp(p, wanted, length)) return fails(Fault::VALUE, p);
    p += length;
    return true;
  }

  // As much of it as is one: what follows is no part of it.
  bool number(const char *&p) {
    const char *const start = p;
    if (*p == '-') p++;
    if (p == end || !is_digit(*p)) return fails(Fault::VALUE, start);
    if (*p++ != '0') while (p < end && is_digit(*p)) p++;
    if (end - p > 1 && *p == '.' && is_digit(p[1])) {
      p += 2;
      while (p < end && is_digit(*p)) p++;
    }
    if (end - p > 1 && (*p == 'e' || *p == 'E')) {
      const char *q = p + 1;
      if (end - q > 1 && (*q == '+' || *q == '-')) q++;
      const char *const digits = q;
      while (q < end && is_digit(*q)) q++;
      if (q > digits) p = q;
    }
    return true;
  }

  // p stands behind the opening brace, and then behind the closing one.
  bool object(const char *&p) {
    const int64_t since = parser.span_count;
    p = past_blanks(p);
    if (is(p, '}')) {
      p++;
      return true;
    }
    for (bool is_first = true;; is_first = false) {
      if (!is(p, '"')) return fails(is_first || !is(p, '}') ? Fault::NAME : Fault::UNKNOWN, p);
      const char *name = ++p;
      if (!text(p)) return false;
      const int64_t start = parser.scratch.length;
      bool has_lone = false;
      if (copy_text(name, parser.scratch, has_lone)) return fails(Fault::UNKNOWN, p);
      parser.note(start, parser.scratch.length - start);
      p = past_blanks(p);
      if (!is(p, ':')) return fails(Fault::COLON, p);
      p = past_blanks(p + 1);
      if (!value(p)) return false;
      p = past_blanks(p);
      if (is(p, '}')) break;
      if (!is(p, ',')) return fails(Fault::COMMA, p);
      p = past_blanks(p + 1);
    }
    p++;
    return !parser.have_twice(parser.scratch.room.p, since) || fails(Fault::DUPLICATE, p);
  }

  // p stands behind the opening bracket, and then behind the closing one.
  bool array(const char *&p) {
    p = past_blanks(p);
    if (is(p, ']')) {
      p++;
      return true;
    }
    for (bool is_first = true;; is_first = false) {
      if (!is_first && is(p, ']')) return fails(Fault::UNKNOWN, p);
      if (!value(p)) return false;
      p = past_blanks(p);
      if (is(p, ']')) break;
      if (!is(p, ',')) return fails(Fault::COMMA, p);
      p = past_blanks(p + 1);
    }
    p++;
    return true;
  }

  bool value(const char *&p) {
    if (p == end) return fails(Fault::VALUE, p);
    switch (*p) {
      case '"': return text(++p);
      case '{': return object(++p);
      case '[': return array(++p);
      case 't': return word(p, "true");
      case 'f': return word(p, "false");
      case 'n': return word(p, "null");
      case 'N': return word(p, "NaN");
      case 'I': return word(p, "Infinity");
      case '-': return end - p > 1 && p[1] == 'I' ? word(p, "-Infinity") : number(p);
      default: return number(p);
    }
  }

  Fault whole() {
    int64_t openings = 0;
    for (const char *p = begin; p < end; p++) openings += *p == '{' || *p == '[';
    const uint8_t *const from = reinterpret_cast<const uint8_t *>(begin);
    if (openings > MOST_NESTING || !is_utf8(from, reinterpret_cast<const uint8_t *>(end))) return Fault::UNKNOWN;
    const char *p = begin;
    if (!value(p)) return fault;
    p = past_blanks(p);
    place = p;
    if (p != end) return Fault::EXTRA;
    switch (*begin) {
      case '{': return Fault::UNKNOWN;  // it is a record
      case '[': return Fault::ARRAY;
      case '"': return Fault::TEXT;
      case 't': case 'f': return Fault::BOOLEAN;
      case 'n': return Fault::NOTHING;
      default: return Fault::NUMBER;
    }
  }
};

// What is wrong with a line, and at which of its characters, from 0; white space at its ends is no part of it.
inline Fault diagnose(Parser &parser, const char *begin, const char *end, int64_t &character) {
  auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (begin < end && is_blank(*begin)) begin++;
  while (begin < end && is_blank(end[-1])) end--;
  parser.scratch.length = 0;
  Diagnosis diagnosis{parser, begin, end, Fault::UNKNOWN, begin};
  const int64_t since = parser.span_count;
  const Fault fault = diagnosis.whole();
  parser.span_count = since;
  parser.scratch.length = 0;
  character = 0;
  for (const char *p = begin; p < diagnosis.place; p++) character += (static_cast<uint8_t>(*p) & 0xc0) != 0x80;
  return fault;
}

}  // namespace ndjson

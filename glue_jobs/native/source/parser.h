// Lines to values in columns: what fits a column exactly, what goes to the rest, which line is left.
//
// A line lies in memory that can be read some way behind its end. Every loop stops at a newline or a NUL, which
// are no part of any value.
#pragma once
#include "columns.h"
#include "instants.h"
#include "tallies.h"
#include "text.h"

namespace ndjson {

constexpr int MOST_NESTING = 200;
// Deeper values are no columns'; Python says what becomes of them.
constexpr int MOST_COLUMN_DEPTH = 32;

inline const char *skip(const char *p) {
  while (UNLIKELY(*p == ' ' || *p == '\t' || *p == '\r')) p++;
  return p;
}

inline bool is_constant(const char *p) { return *p == 'N' || *p == 'I' || (*p == '-' && p[1] == 'I'); }

// An object that is being read, and the member that is read just now.
struct Frame {
  Frame *up;
  const char *name;  // behind its opening quote
  bool is_begun;     // whether its brace stands in the rest
  bool has_member;   // whether a comma comes before the next one there
};

// What was met in a copied value.
struct Met {
  bool has_lone, has_constant;
  int deepest;
};

struct Span {
  int64_t start;
  int64_t length;
};

// Sorts in place, in bounded time whatever the order: by a heap.
template <class Before> void sort(Span *spans, int64_t count, Before is_before) {
  auto sink = [&](int64_t place, int64_t end) {
    const Span sunk = spans[place];
    for (int64_t child; (child = 2 * place + 1) < end; place = child) {
      if (child + 1 < end && is_before(spans[child], spans[child + 1])) child++;
      if (!is_before(sunk, spans[child])) break;
      spans[place] = spans[child];
    }
    spans[place] = sunk;
  };
  for (int64_t place = count / 2 - 1; place >= 0; place--) sink(place, count);
  for (int64_t end = count - 1; end > 0; end--) {
    const Span largest = spans[0];
    spans[0] = spans[end];
    spans[end] = largest;
    sink(0, end);
  }
}

struct Parser {
  const char *data_end;
  int64_t line_number;   // of this builder; only for counting a record once
  bool is_strict;        // whatever does not fit makes the line a left one
  int lists;             // that are open
  bool is_lossy;         // of the open lists: something in them did not fit
  bool rest_has_lone;
  Text rest;             // of the line
  Text scratch, decoded, unknown;
  Room<Span> spans;      // names of the open objects that are to be compared
  int64_t span_count;
  Tallies tallies;

  void drop() {
    rest.room.drop();
    scratch.room.drop();
    decoded.room.drop();
    unknown.room.drop();
    spans.drop();
    tallies.drop();
  }

  // Lazily: few values need it.
  const char *line_end(const char *p) const {
    const void *found = memchr(p, '\n', static_cast<size_t>(data_end - p));
    return found ? static_cast<const char *>(found) : data_end;
  }

  // --- names that must differ

  void note(int64_t start, int64_t length) {
    spans.reserve(static_cast<size_t>(span_count + 1));
    spans.p[span_count++] = Span{start, length};
  }
  // Whether two of the names noted since are one; they are forgotten.
  bool have_twice(const uint8_t *base, int64_t since) {
    Span *const from = spans.p + since, *const to = spans.p + span_count;
    span_count = since;
    auto is_same = [&](const Span &a, const Span &b) {
      return a.length == b.length && !memcmp(base + a.start, base + b.start, static_cast<size_t>(a.length));
    };
    if (to - from <= 8) {
      for (Span *a = from; a < to; a++)
        for (Span *b = a + 1; b < to; b++)
          if (is_same(*a, *b)) return true;
      return false;
    }
    sort(from, to - from, [&](const Span &a, const Span &b) {
      if (a.length != b.length) return a.length < b.length;
      return memcmp(base + a.start, base + b.start, static_cast<size_t>(a.length)) < 0;
    });
    for (Span *a = from; a + 1 < to; a++)
      if (is_same(a[0], a[1])) return true;
    return false;
  }

  // --- values as JSON text, as the Python rules write it

  Why copy_number(const char *&p, Text &out) {
    const char *s = p + (*p == '-');
    const char *const whole = s;
    while (is_digit(*s)) s++;
    if (s == whole || (s - whole > 1 && *whole == '0')) return SYNTAX;
    if (*s == '.') {
      const char *const fraction = ++s;
      while (is_digit(*s)) s++;
      if (s == fraction) return SYNTAX;
    }
    if (*s == 'e' || *s == 'E') {
      s++;
      if (*s == '+' || *s == '-') s++;
      const char *const exponent = s;
      while (is_digit(*s)) s++;
      if (s == exponent) return SYNTAX;
    }
    if (!ends_value(*s)) return SYNTAX;
    out.put(p, s - p);
    p = s;
    return OK;
  }

  Why copy_word(const char *&p, Text &out, const char *word, bool is_quoted) {
    const int64_t length = static_cast<int64_t>(strlen(word));
    if (memcmp(p, word, static_cast<size_t>(length))) return SYNTAX;
    if (is_quoted) out.put('"');
    out.put(word, length);
    if (is_quoted) out.put('"');
    p += length;
    return OK;
  }

  // Copies the value at p. is_void: it says nothing, as null, {}, [] and what holds nothing else.
  Why copy_value(const char *&p, Text &out, int depth, Met &met, bool &is_void) {
    is_void = false;
    switch (*p) {
      case '"': p++; return copy_text(p, out, met.has_lone);
      case 't': return copy_word(p, out, "true", false);
      case 'f': return copy_word(p, out, "false", false);
      case 'n': is_void = true; return copy_word(p, out, "null", false);
      case 'N': met.has_constant = true; return copy_word(p, out, "NaN", true);
      case 'I': met.has_constant = true; return copy_word(p, out, "Infinity", true);
      case '{': case '[': break;
      case '-':
        if (p[1] == 'I') {
          met.has_constant = true;
          return copy_word(p, out, "-Infinity", true);
        }
        return copy_number(p, out);
      default: return is_digit(*p) ? copy_number(p, out) : SYNTAX;
    }
    if (++depth > MOST_NESTING) return DEPTH;
    if (depth > met.deepest) met.deepest = depth;
    const bool is_object = *p == '{';
    const char closing = is_object ? '}' : ']';
    const int64_t since = span_count;
    is_void = true;
    out.put(*p);
    p = skip(p + 1);
    if (*p == closing) {
      p++;
      out.put(closing);
      return OK;
    }
    for (;;) {
      if (is_object) {
        if (*p != '"') return SYNTAX;
        p++;
        const int64_t start = out.length;
        const Why why = copy_text(p, out, met.has_lone);
        if (UNLIKELY(why)) return why;
        note(start, out.length - start);
        p = skip(p);
        if (*p != ':') return SYNTAX;
        p = skip(p + 1);
        out.put(':');
      }
      bool is_item_void;
      const Why why = copy_value(p, out, depth, met, is_item_void);
      if (UNLIKELY(why)) return why;
      is_void = is_void && is_item_void;
      p = skip(p);
      if (*p == ',') {
        out.put(',');
        p = skip(p + 1);
        continue;
      }
      if (*p != closing) return SYNTAX;
      p++;
      out.put(closing);
      break;
    }
    return is_object && have_twice(out.room.p, since) ? DUPLICATE : OK;
  }

  // --- the rest of the line

  void begin_rest(Frame *f) {
    if (f->is_begun) return;
    if (f->up) name_in_rest(f->up);
    rest.put('{');
    f->is_begun = true;
    f->has_member = false;
  }
  // The name of the member that is read, which was found to be text before.
  void name_in_rest(Frame *f) {
    begin_rest(f);
    if (f->has_member) rest.put(',');
    f->has_member = true;
    const char *p = f->name;
    copy_text(p, rest, rest_has_lone);
    rest.put(':');
  }

  // Takes the value at p to the rest; in a list only looks at it, since the list goes there whole.
  Why rescue(const char *&p, int depth, Frame *f, Met &met, bool &is_void) {
    met = Met{};
    if (lists) {
      is_lossy = true;
      scratch.length = 0;
      return copy_value(p, scratch, depth, met, is_void);
    }
    name_in_rest(f);
    const Why why = copy_value(p, rest, depth, met, is_void);
    rest_has_lone = rest_has_lone || met.has_lone;
    return why;
  }

  __attribute__((noinline)) Why misfit(Node *n, const char *&p, Reason reason, Frame *f) {
    if (is_strict || !n->is_final) return reason == Reason::OTHER_KIND ? TYPE : RANGE;
    Met met;
    bool is_void;
    const Why why = rescue(p, n->depth, f, met, is_void);
    if (why) return why;
    tallies.add(n->id, reason, line_number);
    add_null(n);
    return OK;
  }
  __attribute__((noinline)) Why other_kind(Node *n, const char *&p, Frame *f) {
    return misfit(n, p, is_constant(p) ? Reason::NOT_A_NUMBER : Reason::OTHER_KIND, f);
  }
  Why misfit(Node *n, const char *&p, Fit fit, Frame *f) {
    if (fit == Fit::UNSURE) return RANGE;
    return misfit(n, p, fit == Fit::INEXACT ? Reason::NOT_EXACT : Reason::OUT_OF_RANGE, f);
  }

  // --- text

  Why text(Node *n, const char *&p, Frame *f) {
    n->offsets.reserve(static_cast<size_t>(n->length + 2));
    const int64_t at = n->chars.length;
    n->offsets.p[n->length] = static_cast<int32_t>(at);
    const char *const begin = p + 1;
    const char *s = begin;
    Mask not_ascii = 0;
    for (;;) {
      n->chars.room.reserve(static_cast<size_t>(at + (s - begin) + 16));
      const Lane v = load(s);
      store(n->chars.room.p + at + (s - begin), v);
      const Mask stop = stops(v);
      if (LIKELY(stop)) {
        const int count = first(stop);
        not_ascii |= high(v) & below(count);
        s += count;
        break;
      }
      not_ascii |= high(v);
      s += 16;
    }
    int64_t length;
    if (LIKELY(*s == '"')) {
      length = s - begin;
      s++;
      const uint8_t *const copied = n->chars.room.p + at;
      if (UNLIKELY(not_ascii) && !is_utf8(copied, copied + length)) return UTF8;
    } else if (*s == '\\') {
      n->chars.room.reserve(static_cast<size_t>(at + (line_end(begin) - begin) + 16));
      s = begin;
      const Why why = decode_text(s, n->chars.room.p + at, length);
      if (why == SURROGATE) return f ? misfit(n, p, Reason::NOT_STORABLE, f) : SURROGATE;
      if (why) return why;
    } else {
      return SYNTAX;
    }
    if (UNLIKELY(at + length > INT32_MAX)) return FULL;
    mark(n, true);
    n->chars.length = at + length;
    n->length++;
    p = s;
    return OK;
  }

  // The text at p, which stands before its opening quote: where it lies without escapes, and where it ends.
  Why view_text(const char *p, const char *&view, int64_t &length, const char *&end) {
    const char *const begin = p + 1;
    const char *s = begin;
    Mask not_ascii = 0;
    for (;;) {
      const Lane v = load(s);
      const Mask stop = stops(v);
      if (LIKELY(stop)) {
        const int count = first(stop);
        not_ascii |= high(v) & below(count);
        s += count;
        break;
      }
      not_ascii |= high(v);
      s += 16;
    }
    if (LIKELY(*s == '"')) {
      view = begin;
      length = s - begin;
      end = s + 1;
      return not_ascii && !is_utf8(reinterpret_cast<const uint8_t *>(begin), reinterpret_cast<const uint8_t *>(s))
                 ? UTF8
                 : OK;
    }
    if (*s != '\\') return SYNTAX;
    decoded.length = 0;
    uint8_t *const to = decoded.end(line_end(begin) - begin);
    end = begin;
    const Why why = decode_text(end, to, length);
    view = reinterpret_cast<const char *>(to);
    return why;
  }

  Why json(Node *n, const char *&p, Frame *f) {
    n->offsets.reserve(static_cast<size_t>(n->length + 2));
    const int64_t at = n->chars.length;
    n->offsets.p[n->length] = static_cast<int32_t>(at);
    Met met{};
    bool is_void;
    const char *s = p;
    const Why why = copy_value(s, n->chars, n->depth, met, is_void);
    const bool is_kept = !why && !met.has_constant;
    if (is_kept && met.has_lone) to_ascii(n->chars, at, scratch);
    const int64_t length = n->chars.length;
    n->chars.length = at;
    if (why) return why;
    if (!is_kept) return misfit(n, p, Reason::NOT_A_NUMBER, f);
    if (UNLIKELY(length > INT32_MAX)) return FULL;
    mark(n, true);
    n->chars.length = length;
    n->length++;
    p = s;
    return OK;
  }

  // --- numbers and instants

  static void put_word(Node *n, int64_t word) {
    n->words.reserve(static_cast<size_t>(n->length + 1));
    mark(n, true);
    n->words.p[n->length++] = word;
  }
  static void put_double(Node *n, double number) {
    int64_t word;
    memcpy(&word, &number, sizeof word);
    put_word(n, word);
  }

  Why whole(Node *n, const char *&p, Frame *f) {
    const char *s = p + (*p == '-');
    const char *const digits = s;
    uint64_t v = 0;
    while (is_digit(*s)) v = v * 10 + static_cast<uint64_t>(*s++ - '0');
    const int64_t count = s - digits;
    // Whatever is not plain is looked at with all care.
    if (UNLIKELY(count == 0 || count > 18 || (count > 1 && *digits == '0') || !ends_value(*s)))
      return any_number(n, p, f);
    put_word(n, static_cast<int64_t>(*p == '-' ? 0 - v : v));
    p = s;
    return OK;
  }

  Why fraction(Node *n, const char *&p, Frame *f) {
    const char *s = p + (*p == '-');
    const char *const digits = s;
    uint64_t v = 0;
    while (is_digit(*s)) v = v * 10 + static_cast<uint64_t>(*s++ - '0');
    int64_t count = s - digits, k = 0;
    if (UNLIKELY(count == 0 || (count > 1 && *digits == '0'))) return any_number(n, p, f);
    if (*s == '.') {
      const char *const begin = ++s;
      while (is_digit(*s)) v = v * 10 + static_cast<uint64_t>(*s++ - '0');
      k = s - begin;
      count += k;
      if (UNLIKELY(k == 0)) return SYNTAX;
    }
    if (UNLIKELY(count > 19)) {
      const char *zero = digits;
      while (*zero == '0' || *zero == '.') zero++;
      count = s - zero;
    }
    if (UNLIKELY(count > 19 || k > MOST_TENTHS || !ends_value(*s))) return any_number(n, p, f);
    double d;
    if (LIKELY(v < FIFTEEN_DIGITS)) {
      if (UNLIKELY(k > MOST_TENS)) return any_number(n, p, f);
      d = static_cast<double>(v) / TENS[k];
    } else if (k == 0) {
      if (v > EXACT_WHOLE) return any_number(n, p, f);
      d = static_cast<double>(v);
    } else {
      while (k > 0 && v % 10 == 0) v /= 10, k--;
      Fit fit = Fit::EXACT;
      if (k == 0 || v >= SEVENTEEN_DIGITS) return any_number(n, p, f);
      if (v < FIFTEEN_DIGITS && k <= MOST_TENS) d = static_cast<double>(v) / TENS[k];
      else if (v < FIFTEEN_DIGITS || !divided(v, static_cast<int>(k), d, fit)) return any_number(n, p, f);
      if (UNLIKELY(fit != Fit::EXACT)) return misfit(n, p, fit, f);
    }
    put_double(n, *p == '-' ? -d : d);
    p = s;
    return OK;
  }

  __attribute__((noinline)) Why any_number(Node *n, const char *&p, Frame *f) {
    if (!is_digit(*p) && *p != '-') return other_kind(n, p, f);
    if (is_constant(p)) return misfit(n, p, Reason::NOT_A_NUMBER, f);
    Number number;
    if (!read_number(p, number) || !ends_value(*number.end)) return SYNTAX;
    Fit fit;
    int64_t word = 0;
    switch (n->kind) {
      case Kind::INT64:
        fit = as_int64(number, word);
        if (fit == Fit::EXACT) put_word(n, word);
        break;
      case Kind::FLOAT64: {
        double d;
        fit = number.is_whole ? whole_as_double(number, d) : fraction_as_double(number, d);
        if (fit == Fit::EXACT) put_double(n, d);
        break;
      }
      case Kind::TIMESTAMP: {
        const int digits = n->source == Source::SECONDS ? 0 : n->source == Source::MILLISECONDS ? 3 : 6;
        fit = number_as_instant(number, digits, word);
        if (fit == Fit::EXACT) put_word(n, word);
        break;
      }
      default: {
        int128 value;
        fit = as_decimal(number, n->precision, n->scale, value);
        if (fit != Fit::EXACT) break;
        n->words.reserve(static_cast<size_t>(2 * n->length + 2));
        mark(n, true);
        memcpy(n->words.p + 2 * n->length, &value, sizeof value);
        n->length++;
      }
    }
    if (fit != Fit::EXACT) return misfit(n, p, fit, f);
    p = number.end;
    return OK;
  }

  Why moment(Node *n, const char *&p, Frame *f) {
    if (*p != '"') return other_kind(n, p, f);
    const char *view, *end;
    int64_t length;
    const Why why = view_text(p, view, length, end);
    if (why == SURROGATE) return misfit(n, p, Reason::OTHER_KIND, f);
    if (why) return why;
    int64_t instant = 0;
    int32_t day = 0;
    const Moment found = n->kind == Kind::DATE ? as_date(view, length, day) : as_instant(view, length, instant);
    if (found != Moment::FITS)
      return misfit(n, p,
                    found == Moment::NOT_ONE ? Reason::OTHER_KIND
                    : found == Moment::FINER ? Reason::NOT_EXACT
                                             : Reason::OUT_OF_RANGE,
                    f);
    if (n->kind == Kind::DATE) {
      n->offsets.reserve(static_cast<size_t>(n->length + 1));
      mark(n, true);
      n->offsets.p[n->length++] = day;
    } else {
      put_word(n, instant);
    }
    p = end;
    return OK;
  }

  Why boolean(Node *n, const char *&p, Frame *f) {
    bool is_true;
    const char *end;
    if (!memcmp(p, "true", 4)) is_true = true, end = p + 4;
    else if (!memcmp(p, "false", 5)) is_true = false, end = p + 5;
    else return other_kind(n, p, f);
    n->bits.reserve(static_cast<size_t>(n->length / 8 + 1));
    mark(n, true);
    const uint8_t bit = static_cast<uint8_t>(1u << (n->length & 7));
    if (is_true) n->bits.p[n->length >> 3] |= bit;
    else n->bits.p[n->length >> 3] &= static_cast<uint8_t>(~bit);
    n->length++;
    p = end;
    return OK;
  }

  // --- nested values

  Why list(Node *n, const char *&p, Frame *f) {
    if (*p != '[') return other_kind(n, p, f);
    const char *const begin = p;
    Node *const item = n->kids[0];
    n->offsets.reserve(static_cast<size_t>(n->length + 2));
    n->offsets.p[n->length] = static_cast<int32_t>(item->length);
    mark(n, true);
    n->length++;
    p = skip(p + 1);
    if (*p == ']') {
      p++;
      return OK;
    }
    lists++;
    for (;;) {
      const Why why = value(item, p, f);
      if (UNLIKELY(why)) return why;
      p = skip(p);
      if (*p == ',') {
        p = skip(p + 1);
        continue;
      }
      if (*p != ']') return SYNTAX;
      p++;
      break;
    }
    lists--;
    if (UNLIKELY(item->length > INT32_MAX)) return FULL;
    if (UNLIKELY(is_lossy) && !lists) {
      is_lossy = false;
      Met met;
      bool is_void;
      const char *again = begin;
      return rescue(again, n->depth, f, met, is_void);
    }
    return OK;
  }

  Why map(Node *n, const char *&p, Frame *up) {
    if (*p != '{') return other_kind(n, p, up);
    Node *const entries = n->kids[0], *const key = entries->kids[0], *const item = entries->kids[1];
    n->offsets.reserve(static_cast<size_t>(n->length + 2));
    n->offsets.p[n->length] = static_cast<int32_t>(entries->length);
    mark(n, true);
    n->length++;
    const int64_t from = entries->length;
    Frame f{up, nullptr, false, false};
    p = skip(p + 1);
    if (*p == '}') {
      p++;
      return OK;
    }
    for (;;) {
      if (*p != '"') return SYNTAX;
      f.name = p + 1;
      Why why = text(key, p, nullptr);
      if (UNLIKELY(why)) return why;
      p = skip(p);
      if (*p != ':') return SYNTAX;
      p = skip(p + 1);
      why = value(item, p, &f);
      if (UNLIKELY(why)) return why;
      mark(entries, true);
      entries->length++;
      p = skip(p);
      if (*p == ',') {
        p = skip(p + 1);
        continue;
      }
      if (*p != '}') return SYNTAX;
      p++;
      break;
    }
    if (UNLIKELY(entries->length > INT32_MAX)) return FULL;
    if (f.is_begun) rest.put('}');
    const int64_t since = span_count;
    key->offsets.p[key->length] = static_cast<int32_t>(key->chars.length);
    for (int64_t i = from; i < key->length; i++) note(key->offsets.p[i], key->offsets.p[i + 1] - key->offsets.p[i]);
    return have_twice(key->chars.room.p, since) ? DUPLICATE : OK;
  }

  Why value(Node *n, const char *&p, Frame *f) {
    if (UNLIKELY(*p == 'n')) {
      if (memcmp(p, "null", 4)) return SYNTAX;
      p += 4;
      add_null(n);
      return OK;
    }
    switch (n->kind) {
      case Kind::STRING: return LIKELY(*p == '"') ? text(n, p, f) : other_kind(n, p, f);
      case Kind::INT64: return whole(n, p, f);
      case Kind::FLOAT64: return fraction(n, p, f);
      case Kind::BOOLEAN: return boolean(n, p, f);
      case Kind::JSON: return json(n, p, f);
      case Kind::DECIMAL: return any_number(n, p, f);
      case Kind::TIMESTAMP: return n->source == Source::ISO8601 ? moment(n, p, f) : any_number(n, p, f);
      case Kind::DATE: return moment(n, p, f);
      case Kind::LIST: return list(n, p, f);
      case Kind::MAP: return map(n, p, f);
      case Kind::STRUCT: return LIKELY(*p == '{') ? object(n, p, f) : other_kind(n, p, f);
    }
    return SYNTAX;
  }

  // Whether the name at p is that of a plain node.
  static bool is_named(const Node *k, const char *p) {
    if ((equal(load(p), load(k->head)) & k->head_mask) != k->head_mask) return false;
    const uint32_t n = k->name_length;
    return n < 16 || (!memcmp(p + 16, k->name + 16, n - 16) && p[n] == '"');
  }

  // The member of the name at p, which stands behind its quote; then p stands behind the name.
  __attribute__((noinline)) Why find(Node *n, const char *&p, Node *&found, const char *&name, int64_t &length) {
    const char *end;
    const Why why = view_text(p - 1, name, length, end);
    if (why) return why;
    const int64_t place = n->members.find(name, static_cast<size_t>(length));
    found = place < 0 ? nullptr : n->kids[place];
    p = end;
    return OK;
  }

  // A member that has no column; p stands behind its name.
  __attribute__((noinline)) Why stranger(Node *n, const char *&p, Frame &f, const char *name, int64_t length) {
    const int64_t start = unknown.length;
    unknown.put(name, length);
    note(start, length);
    p = skip(p);
    if (*p != ':') return SYNTAX;
    p = skip(p + 1);
    if (*p == 'n') {
      if (memcmp(p, "null", 4)) return SYNTAX;
      p += 4;
      return OK;
    }
    const char *const kept = reinterpret_cast<const char *>(unknown.room.p + start);
    if (is_strict) return UNKNOWN;
    // What says nothing makes no column, and needs no judge.
    const bool may_be_column = n->is_open && n->closed.find(kept, static_cast<size_t>(length)) < 0;
    if (may_be_column && *p != '[' && *p != '{') return UNKNOWN;
    // Names that no column can have are rare, and Python's to judge.
    if (!length || memchr(kept, 0, static_cast<size_t>(length))) return UNKNOWN;
    Met met;
    bool is_void;
    const Why why = rescue(p, n->depth + 1, &f, met, is_void);
    if (why) return why;
    if (may_be_column && !is_void) return UNKNOWN;
    // Levels from the record to the value, and those in it.
    const int nesting = met.deepest ? met.deepest - n->depth - 1 : 0;
    if (n->depth + 2 + nesting > MOST_COLUMN_DEPTH) return DEPTH;
    const int64_t place = tallies.place_of(n->id, kept, static_cast<int32_t>(length));
    tallies.all.p[place].is_in_rest = 1;
    if (!is_void) tallies.add(place, line_number);
    return OK;
  }

  Why object(Node *n, const char *&p, Frame *up) {
    const int64_t row = n->length, since = span_count, unknown_since = unknown.length;
    Frame f{up, nullptr, false, false};
    uint32_t last = n->kid_count;
    p = skip(p + 1);
    if (*p == '}') {
      p++;
    } else {
      for (;;) {
        if (UNLIKELY(*p != '"')) return SYNTAX;
        f.name = ++p;
        Node *k = n->followers[last];
        bool is_known = true;
        if (LIKELY(k && is_named(k, p))) {
          p += k->name_length + 1;
        } else {
          const char *name;
          int64_t length;
          Why why = find(n, p, k, name, length);
          if (UNLIKELY(why)) return why;
          is_known = k != nullptr;
          if (is_known) {
            if (k->is_plain) n->followers[last] = k;
          } else {
            why = stranger(n, p, f, name, length);
            if (UNLIKELY(why)) return why;
          }
        }
        if (LIKELY(is_known)) {
          last = static_cast<uint32_t>(k->index);
          if (LIKELY(*p == ':')) {
            p++;
          } else {
            p = skip(p);
            if (*p != ':') return SYNTAX;
            p++;
          }
          if (*p == ' ') p++;
          p = skip(p);
          if (UNLIKELY(k->length != row)) {
            if (k->length > row) return DUPLICATE;
            pad(k, row);
          }
          const Why why = value(k, p, &f);
          if (UNLIKELY(why)) return why;
        }
        if (LIKELY(*p == ',')) {
          p++;
          if (*p == ' ') p++;
          p = skip(p);
          continue;
        }
        p = skip(p);
        if (*p == ',') {
          p = skip(p + 1);
          continue;
        }
        if (*p != '}') return SYNTAX;
        p++;
        break;
      }
      if (UNLIKELY(f.is_begun)) rest.put('}');
      if (UNLIKELY(span_count != since)) {
        const bool is_twice = have_twice(unknown.room.p, since);
        unknown.length = unknown_since;
        if (is_twice) return DUPLICATE;
      }
    }
    mark(n, true);
    n->length++;
    return OK;
  }

  // One line, from its first sign to its newline or the end of the data.
  Why line(Node *root, const char *&p) {
    if (*p != '{') return SYNTAX;
    const Why why = object(root, p, nullptr);
    if (UNLIKELY(why)) return why;
    p = skip(p);
    return *p == '\n' || p == data_end ? OK : SYNTAX;
  }
  void begin_line() {
    line_number++;
    if (LIKELY(!lists && !rest.length && !tallies.pending_count && !span_count)) return;
    reset_line();
  }
  void reset_line() {
    lists = 0;
    is_lossy = rest_has_lone = false;
    rest.length = 0;
    unknown.length = 0;
    span_count = 0;
    tallies.revoke();
  }
};

}  // namespace ndjson

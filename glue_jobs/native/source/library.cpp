// What builder.py calls: open, feed or add, take, close.
//
// Whatever asks for memory lands in its own function where that is refused; the builder is broken from then on,
// and only closing it is of use.
#include "arrow.h"
#include "faults.h"

using namespace ndjson;

namespace {

// Told by the functions; the numbers are known to builder.py.
enum Status : int32_t { DONE = 0, REFUSED = 1, NO_ROOM = 2, BROKEN = 3, MISFIT = 4 };

// Memory that lives as long as the builder.
struct Block {
  Block *next;
};

struct Builder {
  Block *blocks;
  Node *root;
  Node rest;
  Parser parser;
  Text tail;
  int64_t room;     // bytes that may be read behind a line
  int64_t rescued;  // rows of which something counts as rescued
  int32_t nodes;
  bool is_broken;
};

struct Fed {
  int64_t lines, rows, blank, next, newlines, left_start, left_end, why, refused;
};

// A line that is no record: where it lies in the data, its number from where the call began, and what is wrong
// with it at which character.
struct Refused {
  int64_t start, end, line, fault, character;
};

// What no rule could make a record of.
inline bool is_refusal(Why why) { return why == SYNTAX || why == UTF8 || why == DUPLICATE; }

struct Taken {
  const Tally *tallies;
  int64_t tally_count, rescued, has_rest;
};

// The columns as builder.py writes them, in its words.
struct Reader {
  Builder *builder;
  const uint8_t *p;

  void *block(size_t bytes) {
    Block *made = static_cast<Block *>(requested(nullptr, sizeof(Block) + 16 + bytes));
    memset(static_cast<void *>(made), 0, sizeof(Block) + 16 + bytes);
    made->next = builder->blocks;
    builder->blocks = made;
    return reinterpret_cast<char *>(made) + 16;
  }
  uint32_t number() {
    uint32_t found;
    memcpy(&found, p, sizeof found);
    p += sizeof found;
    return found;
  }
  const char *name(uint32_t &length) {
    length = number();
    char *copy = static_cast<char *>(block(length + 1));
    memcpy(copy, p, length);
    p += length;
    return copy;
  }
  Node *bare(Kind kind, int depth) {
    Node *n = static_cast<Node *>(block(sizeof(Node)));
    n->kind = kind;
    n->depth = depth;
    n->name = "";
    n->id = -1;
    return n;
  }
  void set_name(Node *n) {
    n->name = name(n->name_length);
    const uint32_t length = n->name_length;
    const uint32_t quoted = length < 16 ? length + 1 : 16;
    memcpy(n->head, n->name, length < 16 ? length : 16);
    if (length < 16) n->head[length] = '"';
    n->head_mask = below(static_cast<int>(quoted));
    n->is_plain = true;
    for (uint32_t i = 0; i < length; i++) {
      const char c = n->name[i];
      if (c == '"' || c == '\\' || static_cast<uint8_t>(c) < 0x20) n->is_plain = false;
    }
    if (builder->room < static_cast<int64_t>(length) + 64) builder->room = length + 64;
  }
  static void follow(Node *n, uint32_t place, Node *next) { n->followers[place] = next->is_plain ? next : nullptr; }
  Node *node(int depth) {
    Node *n = bare(static_cast<Kind>(p[0]), depth);
    n->is_final = p[1] & 1;
    n->is_open = p[1] & 2;
    n->precision = p[2];
    n->scale = p[3];
    n->source = static_cast<Source>(p[4]);
    p += 8;
    n->id = builder->nodes++;
    set_name(n);
    const uint32_t closed = number();
    if (closed) {
      n->closed.open(closed, [&](size_t bytes) { return block(bytes); });
      for (uint32_t i = 0; i < closed; i++) {
        uint32_t length;
        const char *text = name(length);
        n->closed.add(text, length);
      }
    }
    const uint32_t count = number();
    if (n->kind == Kind::MAP) {
      Node *entries = bare(Kind::STRUCT, depth + 1);
      n->kid_count = 1;
      n->kids = static_cast<Node **>(block(sizeof(Node *)));
      n->kids[0] = entries;
      entries->kid_count = 2;
      entries->kids = static_cast<Node **>(block(2 * sizeof(Node *)));
      entries->kids[0] = bare(Kind::STRING, depth + 1);
      entries->kids[1] = node(depth + 1);
      return n;
    }
    n->kid_count = count;
    n->kids = static_cast<Node **>(block((count + 1) * sizeof(Node *)));
    for (uint32_t i = 0; i < count; i++) {
      n->kids[i] = node(depth + 1);
      n->kids[i]->index = static_cast<int32_t>(i);
    }
    if (n->kind != Kind::STRUCT) return n;
    n->members.open(count, [&](size_t bytes) { return block(bytes); });
    n->followers = static_cast<Node **>(block((count + 1) * sizeof(Node *)));
    for (uint32_t i = 0; i < count; i++) {
      n->members.add(n->kids[i]->name, n->kids[i]->name_length);
      follow(n, i, n->kids[(i + 1) % count]);
    }
    if (count) follow(n, count, n->kids[0]);
    return n;
  }
};

void close(Builder *b) {
  if (b->root) {
    unprepare(b->root);
    drop(b->root);
  }
  unprepare(&b->rest);
  drop(&b->rest);
  b->parser.drop();
  b->tail.room.drop();
  while (b->blocks) {
    Block *next = b->blocks->next;
    free(b->blocks);
    b->blocks = next;
  }
  free(b);
}

// The row just read has this rest.
Why keep_rest(Builder *b, const void *text, int64_t length) {
  Node *n = &b->rest;
  pad(n, b->root->length - 1);
  if (n->chars.length + length > INT32_MAX) return FULL;
  n->offsets.reserve(static_cast<size_t>(n->length + 2));
  n->chars.end(length);
  mark(n, true);
  n->offsets.p[n->length] = static_cast<int32_t>(n->chars.length);
  n->chars.put(text, length);
  n->length++;
  return OK;
}

// One line; the builder is as before where it is left.
Why take_line(Builder *b, const char *&p) {
  Parser &parser = b->parser;
  const int64_t row = b->root->length;
  parser.begin_line();
  Why why = parser.line(b->root, p);
  if (LIKELY(!why && !parser.rest.length)) return OK;
  if (!why) {
    if (parser.rest_has_lone) to_ascii(parser.rest, 0, parser.scratch);
    why = keep_rest(b, parser.rest.room.p, parser.rest.length);
  }
  if (why) {
    cut(b->root, row);
    cut(&b->rest, row);
  } else if (parser.tallies.settle()) {
    b->rescued++;
  }
  parser.reset_line();
  return why;
}

// Copies bytes to where one may read behind them.
const char *with_room(Builder *b, const char *data, int64_t size) {
  b->tail.length = 0;
  uint8_t *to = b->tail.end(size + b->room);
  memcpy(to, data, static_cast<size_t>(size));
  memset(to + size, 0, static_cast<size_t>(b->room));
  return reinterpret_cast<const char *>(to);
}

Status feed(Builder *b, const char *data, int64_t size, int64_t start, Fed *out, Refused *refused, int64_t most) {
  *out = Fed{};
  const int64_t before = b->root->length;
  const char *base = data, *p = data + start, *end = data + size;
  // Lines that begin before here end where there is room behind them; the others are read in a copy.
  const char *safe = p;
  for (const char *q = end - b->room; q > p; q--)
    if (q[-1] == '\n') {
      safe = q;
      break;
    }
  bool is_copy = false;
  int64_t offset = 0;  // of `base` in the data
  for (;;) {
    if (UNLIKELY(p == safe && !is_copy)) {
      offset = p - data;
      base = p = with_room(b, p, end - p);
      end = base + (size - offset);
      is_copy = true;
    }
    if (p >= end) break;
    b->parser.data_end = end;
    const char *const begin = p;
    p = skip(p);
    if (p >= end) {
      out->blank++;
      p = end;
      break;
    }
    if (*p == '\n') {
      p++;
      out->blank++;
      out->newlines++;
      continue;
    }
    const Why why = take_line(b, p);
    if (UNLIKELY(why)) {
      if (why == FULL) return NO_ROOM;
      const char *const stop = b->parser.line_end(begin);
      out->lines++;
      int64_t character = 0;
      // A line that is left for a value or a name in it may be no record further on.
      const Fault fault = out->refused < most ? diagnose(b->parser, begin, stop, character) : Fault::UNKNOWN;
      if (out->refused < most && (is_refusal(why) || fault != Fault::UNKNOWN)) {
        refused[out->refused++] = Refused{offset + (begin - base), offset + (stop - base), out->newlines,
                                          static_cast<int64_t>(fault), character};
        p = stop;
        if (p < end) {
          p++;
          out->newlines++;
        }
        continue;
      }
      out->why = why;
      out->left_start = offset + (begin - base);
      out->left_end = offset + (stop - base);
      p = stop < end ? stop + 1 : stop;
      break;
    }
    out->lines++;
    if (p < end) {
      p++;
      out->newlines++;
    }
  }
  out->rows = b->root->length - before;
  out->next = offset + (p - base);
  return DONE;
}

Status add(Builder *b, const char *kept, int64_t size, const char *rest, int64_t rest_size) {
  const int64_t row = b->root->length;
  const char *const begin = with_room(b, kept, size), *p = skip(begin);
  b->parser.data_end = begin + size;
  b->parser.is_strict = true;
  Why why = take_line(b, p);
  b->parser.is_strict = false;
  // A newline inside would be another line.
  if (!why && p != begin + size) why = SYNTAX;
  if (!why && rest_size >= 0) why = keep_rest(b, rest, rest_size);
  if (why) cut(b->root, row);
  return why == OK ? DONE : why == FULL ? NO_ROOM : MISFIT;
}

void take(Builder *b, ArrowArray *root, ArrowArray *rest, Taken *out) {
  const int64_t rows = b->root->length;
  *out = Taken{};
  out->tally_count = b->parser.tallies.gather();
  out->tallies = b->parser.tallies.given.p;
  out->rescued = b->rescued;
  out->has_rest = b->rest.length > 0;
  prepare(b->root, rows);
  if (out->has_rest) prepare(&b->rest, rows);
  // Nothing can be refused from here on.
  give(b->root, root);
  if (out->has_rest) give(&b->rest, rest);
  b->rescued = 0;
}

void describe(Builder *b, const uint8_t *described) {
  b->room = 64;
  b->rest.kind = Kind::STRING;
  Reader reader{b, described};
  b->root = reader.node(0);
  b->parser.tallies.open(b->nodes);
}

// Does something that may be refused memory; the builder is broken then.
template <class Work> Status guarded(Builder *b, Work work) {
  if (b->is_broken) return BROKEN;
  jmp_buf landing;
  refusal = &landing;
  if (setjmp(landing)) {
    b->is_broken = true;
    return REFUSED;
  }
  return work();
}

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED int32_t ndjson_version() { return 3; }

// The columns' description lies in memory of the caller; null where memory is refused.
EXPORTED Builder *ndjson_open(const uint8_t *described) {
  Builder *const b = static_cast<Builder *>(calloc(1, sizeof(Builder)));
  if (!b) return nullptr;
  if (guarded(b, [&] {
        describe(b, described);
        return DONE;
      }) == DONE)
    return b;
  close(b);
  return nullptr;
}

// Up to `most` lines that are no records are told in `refused`, and do not end the call.
EXPORTED int32_t ndjson_feed(Builder *b, const char *data, int64_t size, int64_t start, Fed *out, Refused *refused,
                             int64_t most) {
  return guarded(b, [&] { return feed(b, data, size, start, out, refused, most); });
}

EXPORTED int32_t ndjson_add(Builder *b, const char *kept, int64_t size, const char *rest, int64_t rest_size) {
  return guarded(b, [&] { return add(b, kept, size, rest, rest_size); });
}

EXPORTED int64_t ndjson_rows(const Builder *b) { return b->root->length; }

EXPORTED int64_t ndjson_size(const Builder *b) {
  return content(b->root, b->root->length) + (b->rest.length ? content(&b->rest, b->root->length) : 0);
}

// All rows so far, and their rests where there are any. The tallies are to be read before the next call.
EXPORTED int32_t ndjson_take(Builder *b, ArrowArray *root, ArrowArray *rest, Taken *out) {
  return guarded(b, [&] {
    take(b, root, rest, out);
    return DONE;
  });
}

// Ends the counts that ndjson_take has told.
EXPORTED void ndjson_forget_tallies(Builder *b) { b->parser.tallies.forget(); }

EXPORTED void ndjson_close(Builder *b) { close(b); }

#ifdef NDJSON_REFUSALS
// Of the test's build: so many requests for memory are granted to this thread; below 0 all are.
EXPORTED void ndjson_grant(int64_t requests) { granted = requests; }
#endif

// The columns that are being built: one Node a place of the records, with its values so far.
#pragma once
#include "lanes.h"
#include "memory.h"
#include "numbers.h"

namespace ndjson {

// The numbers are known to builder.py.
enum class Kind : uint8_t { BOOLEAN, INT64, FLOAT64, STRING, JSON, DECIMAL, TIMESTAMP, DATE, LIST, MAP, STRUCT };
enum class Source : uint8_t { ISO8601, SECONDS, MILLISECONDS, MICROSECONDS };

// Names with their places, by open addressing.
struct Names {
  const char **names;
  uint32_t *lengths;
  uint32_t count;
  uint32_t *slots;  // place + 1
  uint32_t mask;

  static uint32_t hash(const char *name, size_t length) {
    uint64_t h = 1469598103934665603ull ^ length;
    for (size_t i = 0; i < length; i++) h = (h ^ static_cast<uint8_t>(name[i])) * 1099511628211ull;
    return static_cast<uint32_t>(h ^ (h >> 32));
  }
  // The place of a name; -1 where it has none.
  int64_t find(const char *name, size_t length) const {
    if (!count) return -1;
    for (uint32_t at = hash(name, length) & mask; slots[at]; at = (at + 1) & mask) {
      const uint32_t place = slots[at] - 1;
      if (lengths[place] == length && !memcmp(names[place], name, length)) return place;
    }
    return -1;
  }
  // Takes so many names at most; what `block` gives lives as long as the columns.
  template <class Block> void open(uint32_t most, Block block) {
    uint32_t size = 4;
    while (size < 2 * most + 2) size *= 2;
    mask = size - 1;
    slots = static_cast<uint32_t *>(block(size * sizeof(uint32_t)));
    names = static_cast<const char **>(block((most + 1) * sizeof(const char *)));
    lengths = static_cast<uint32_t *>(block((most + 1) * sizeof(uint32_t)));
  }
  void add(const char *name, uint32_t length) {
    names[count] = name;
    lengths[count] = length;
    uint32_t at = hash(name, length) & mask;
    while (slots[at]) at = (at + 1) & mask;
    slots[at] = ++count;
  }
};

struct Node {
  // What each value needs comes first, in as few cache lines as may be.
  char head[16];    // the name's first 16 bytes with its closing quote, to compare at once
  Mask head_mask;
  uint32_t name_length;
  int32_t index;
  Kind kind;
  bool is_final;    // what does not fit goes to the rest; otherwise the line is left
  bool is_open;     // of a struct: a new name may become a member, so the line is left
  bool has_bitmap;
  bool is_plain;    // its name stands in JSON as it is
  Source source;
  uint8_t precision, scale;
  int64_t length, nulls;
  Room<int32_t> offsets;  // STRING, JSON, LIST, MAP; of DATE its days
  Text chars;             // STRING, JSON
  Room<int64_t> words;    // INT64, FLOAT64, TIMESTAMP; DECIMAL two of them
  Room<uint8_t> bits;     // BOOLEAN
  Room<uint8_t> valid;    // a bitmap, once there is a null
  const char *name;
  uint32_t kid_count;
  int32_t id;
  int depth;        // brackets that are open around its value
  Node **kids;      // LIST its item; MAP a struct of key and value; STRUCT its members
  Node **followers; // STRUCT: which plain member followed member i last; the last one tells the first
  Names members, closed;
  void *held;       // what its hand-over needs, from when that is prepared
};

inline bool is_nested(const Node *n) { return n->kind >= Kind::LIST; }

// --- appending. Room is made before anything changes, so that a refusal leaves a node as it was.

__attribute__((noinline)) inline void start_bitmap(Node *n, int64_t length) {
  n->valid.reserve(static_cast<size_t>(length / 8 + 64));
  memset(n->valid.p, 0xff, n->valid.capacity);
  n->has_bitmap = true;
}

// Whether the value at the node's length is one.
inline void mark(Node *n, bool is_valid) {
  if (LIKELY(!n->has_bitmap && is_valid)) return;
  if (!n->has_bitmap) start_bitmap(n, n->length);
  n->valid.reserve(static_cast<size_t>(n->length / 8 + 1));
  const uint8_t bit = static_cast<uint8_t>(1u << (n->length & 7));
  if (is_valid) {
    n->valid.p[n->length >> 3] |= bit;
  } else {
    n->valid.p[n->length >> 3] &= static_cast<uint8_t>(~bit);
    n->nulls++;
  }
}

inline void clear_bits(uint8_t *bits, int64_t from, int64_t to) {
  while (from < to && (from & 7)) bits[from >> 3] &= static_cast<uint8_t>(~(1u << (from & 7))), from++;
  const int64_t whole = (to - from) / 8;
  memset(bits + (from >> 3), 0, static_cast<size_t>(whole));
  for (from += whole * 8; from < to; from++) bits[from >> 3] &= static_cast<uint8_t>(~(1u << (from & 7)));
}

// Nulls up to a length, many at once.
__attribute__((noinline)) inline void pad_far(Node *n, int64_t to) {
  const int64_t from = n->length;
  const size_t count = static_cast<size_t>(to - from);
  switch (n->kind) {
    case Kind::BOOLEAN:
      n->bits.reserve(static_cast<size_t>(to / 8 + 1));
      clear_bits(n->bits.p, from, to);
      break;
    case Kind::INT64: case Kind::FLOAT64: case Kind::TIMESTAMP:
      n->words.reserve(static_cast<size_t>(to));
      memset(n->words.p + from, 0, count * sizeof(int64_t));
      break;
    case Kind::DECIMAL:
      n->words.reserve(static_cast<size_t>(2 * to));
      memset(n->words.p + 2 * from, 0, 2 * count * sizeof(int64_t));
      break;
    case Kind::DATE:
      n->offsets.reserve(static_cast<size_t>(to));
      memset(n->offsets.p + from, 0, count * sizeof(int32_t));
      break;
    case Kind::STRING: case Kind::JSON: case Kind::LIST: case Kind::MAP: {
      n->offsets.reserve(static_cast<size_t>(to + 1));
      const int32_t at = static_cast<int32_t>(is_nested(n) ? n->kids[0]->length : n->chars.length);
      for (int64_t i = from; i < to; i++) n->offsets.p[i] = at;
      break;
    }
    case Kind::STRUCT: break;
  }
  if (!n->has_bitmap) start_bitmap(n, to);
  else n->valid.reserve(static_cast<size_t>(to / 8 + 1));
  clear_bits(n->valid.p, from, to);
  n->nulls += to - from;
  n->length = to;
}

inline void add_null(Node *n) {
  const int64_t at = n->length;
  switch (n->kind) {
    case Kind::BOOLEAN:
      n->bits.reserve(static_cast<size_t>(at / 8 + 1));
      n->bits.p[at >> 3] &= static_cast<uint8_t>(~(1u << (at & 7)));
      break;
    case Kind::INT64: case Kind::FLOAT64: case Kind::TIMESTAMP:
      n->words.reserve(static_cast<size_t>(at + 1));
      n->words.p[at] = 0;
      break;
    case Kind::DECIMAL:
      n->words.reserve(static_cast<size_t>(2 * at + 2));
      n->words.p[2 * at] = n->words.p[2 * at + 1] = 0;
      break;
    case Kind::DATE:
      n->offsets.reserve(static_cast<size_t>(at + 1));
      n->offsets.p[at] = 0;
      break;
    case Kind::STRING: case Kind::JSON: case Kind::LIST: case Kind::MAP:
      n->offsets.reserve(static_cast<size_t>(at + 2));
      n->offsets.p[at] = static_cast<int32_t>(is_nested(n) ? n->kids[0]->length : n->chars.length);
      break;
    case Kind::STRUCT: break;
  }
  mark(n, false);
  n->length++;
}

// Nulls up to a length.
inline void pad(Node *n, int64_t to) {
  if (to - n->length > 8) return pad_far(n, to);
  while (n->length < to) add_null(n);
}

// Forgets what came at and after a length.
inline void cut(Node *n, int64_t length) {
  // A struct counts itself last, after its members.
  if (n->kind == Kind::STRUCT)
    for (uint32_t i = 0; i < n->kid_count; i++) cut(n->kids[i], length);
  if (n->length <= length) return;
  if (n->has_bitmap)
    for (int64_t i = length; i < n->length; i++) n->nulls -= !(n->valid.p[i >> 3] >> (i & 7) & 1);
  if (n->kind == Kind::STRING || n->kind == Kind::JSON) n->chars.length = n->offsets.p[length];
  else if (n->kind == Kind::LIST || n->kind == Kind::MAP) cut(n->kids[0], n->offsets.p[length]);
  n->length = length;
}

// Bytes of Arrow that the values up to a length take.
inline int64_t content(const Node *n, int64_t length) {
  if (n->length > length) length = n->length;
  int64_t bytes = n->has_bitmap ? length / 8 : 0;
  switch (n->kind) {
    case Kind::BOOLEAN: return bytes + length / 8;
    case Kind::INT64: case Kind::FLOAT64: case Kind::TIMESTAMP: return bytes + 8 * length;
    case Kind::DECIMAL: return bytes + 16 * length;
    case Kind::DATE: return bytes + 4 * length;
    case Kind::STRING: case Kind::JSON: return bytes + 4 * length + n->chars.length;
    case Kind::LIST: case Kind::MAP: return bytes + 4 * length + content(n->kids[0], 0);
    case Kind::STRUCT: break;
  }
  for (uint32_t i = 0; i < n->kid_count; i++) bytes += content(n->kids[i], length);
  return bytes;
}

inline void drop(Node *n) {
  n->valid.drop();
  n->bits.drop();
  n->words.drop();
  n->offsets.drop();
  n->chars.room.drop();
  for (uint32_t i = 0; i < n->kid_count; i++) drop(n->kids[i]);
}

}  // namespace ndjson

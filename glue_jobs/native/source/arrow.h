// Handing columns over by the Arrow C data interface:
// https://arrow.apache.org/docs/format/CDataInterface.html
#pragma once
#include "columns.h"

extern "C" {
struct ArrowArray {
  int64_t length, null_count, offset, n_buffers, n_children;
  const void **buffers;
  ArrowArray **children;
  ArrowArray *dictionary;
  void (*release)(ArrowArray *);
  void *private_data;
};
}

namespace ndjson {

// What an array owns; its use ends when its reader releases it.
struct Held {
  void *owned[3];
  size_t bytes[3];
  const void *buffers[3];
  int owned_count;
  ArrowArray **children;
  ArrowArray *arrays;  // that `children` point at
};

inline void free_held(Held *held) {
  free(held->children);
  free(held->arrays);
  free(held);
}

inline void release(ArrowArray *array) {
  Held *held = static_cast<Held *>(array->private_data);
  // A reader may have moved a child away, and releases that itself.
  for (int64_t i = 0; i < array->n_children; i++)
    if (array->children[i]->release) array->children[i]->release(array->children[i]);
  for (int i = 0; i < held->owned_count; i++) pool.end(held->owned[i], held->bytes[i]);
  free_held(held);
  array->release = nullptr;
}

// Brings a node to its length and asks for all memory that handing it over takes; may be refused.
inline void prepare(Node *n, int64_t length) {
  pad(n, length);
  switch (n->kind) {
    case Kind::BOOLEAN: n->bits.reserve(1); break;
    case Kind::INT64: case Kind::FLOAT64: case Kind::TIMESTAMP: case Kind::DECIMAL: n->words.reserve(1); break;
    case Kind::STRING: case Kind::JSON: n->chars.room.reserve(1); [[fallthrough]];
    case Kind::DATE: case Kind::LIST: case Kind::MAP: n->offsets.reserve(static_cast<size_t>(length + 1)); break;
    case Kind::STRUCT: break;
  }
  Held *held = static_cast<Held *>(requested(nullptr, sizeof(Held)));
  memset(held, 0, sizeof *held);
  n->held = held;
  if (n->kid_count) {
    held->children = static_cast<ArrowArray **>(requested(nullptr, n->kid_count * sizeof(ArrowArray *)));
    held->arrays = static_cast<ArrowArray *>(requested(nullptr, n->kid_count * sizeof(ArrowArray)));
  }
  const bool has_items = n->kind == Kind::LIST || n->kind == Kind::MAP;
  for (uint32_t i = 0; i < n->kid_count; i++) prepare(n->kids[i], has_items ? n->kids[i]->length : length);
}

inline void unprepare(Node *n) {
  if (n->held) free_held(static_cast<Held *>(n->held));
  n->held = nullptr;
  for (uint32_t i = 0; i < n->kid_count; i++) unprepare(n->kids[i]);
}

// Hands a prepared node over; it is empty then.
inline void give(Node *n, ArrowArray *out) {
  Held *held = static_cast<Held *>(n->held);
  n->held = nullptr;
  int count = 1;
  auto own = [&](auto &room, size_t used) {
    void *const memory = room.take(used, held->bytes[held->owned_count]);
    held->owned[held->owned_count++] = memory;
    return memory;
  };
  auto keep = [&](auto &room, size_t used) { held->buffers[count++] = own(room, used); };
  const size_t length = static_cast<size_t>(n->length);
  if (n->nulls) held->buffers[0] = own(n->valid, length / 8 + 1);
  switch (n->kind) {
    case Kind::BOOLEAN: keep(n->bits, length / 8 + 1); break;
    case Kind::INT64: case Kind::FLOAT64: case Kind::TIMESTAMP: keep(n->words, length); break;
    case Kind::DECIMAL: keep(n->words, 2 * length); break;
    case Kind::DATE: keep(n->offsets, length); break;
    case Kind::STRING: case Kind::JSON:
      n->offsets.p[length] = static_cast<int32_t>(n->chars.length);
      keep(n->offsets, length + 1);
      keep(n->chars.room, static_cast<size_t>(n->chars.length));
      break;
    case Kind::LIST: case Kind::MAP:
      n->offsets.p[length] = static_cast<int32_t>(n->kids[0]->length);
      keep(n->offsets, length + 1);
      break;
    case Kind::STRUCT: break;
  }
  *out = ArrowArray{n->length,      n->nulls, 0,       count, static_cast<int64_t>(n->kid_count), held->buffers,
                    held->children, nullptr,  release, held};
  for (uint32_t i = 0; i < n->kid_count; i++) {
    held->children[i] = &held->arrays[i];
    give(n->kids[i], held->children[i]);
  }
  n->length = n->nulls = n->chars.length = 0;
  n->has_bitmap = false;
}

}  // namespace ndjson

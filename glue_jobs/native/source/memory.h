// Memory that may be refused: whoever asks for too much lands where the library was called, by a jump.
//
// Nothing here has a destructor, so that a jump skips none. A refusal leaves each Room as it was.
#pragma once
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

namespace ndjson {

// Where to land; set by each function of the library before it asks for memory.
inline thread_local jmp_buf *refusal = nullptr;

#ifdef NDJSON_REFUSALS
// Of the test's build: how many more requests are granted; below 0 all are.
inline thread_local int64_t granted = -1;
#endif

inline void *requested(void *old, size_t bytes) {
#ifdef NDJSON_REFUSALS
  if (granted == 0) longjmp(*refusal, 1);
  if (granted > 0) granted--;
#endif
  void *found = realloc(old, bytes);
  if (UNLIKELY(!found)) longjmp(*refusal, 1);
  return found;
}

// Room for values of a plain type, which grows; realloc moves large ones without a copy.
template <class T> struct Room {
  T *p;
  size_t capacity;
  size_t usual;  // what was needed before the last hand-over

  void reserve(size_t count) {
    if (LIKELY(count <= capacity)) return;
    grow(count);
  }
  __attribute__((noinline)) void grow(size_t count) {
    size_t wanted = capacity ? capacity * 2 : usual;
    if (wanted < count) wanted = count;
    wanted += 64;
    p = static_cast<T *>(requested(p, wanted * sizeof(T)));
    capacity = wanted;
  }
  // Hands the memory over; the next one is as large from the start.
  T *take(size_t used) {
    T *given = p;
    p = nullptr;
    capacity = 0;
    usual = used + used / 16;
    return given;
  }
  void drop() {
    free(p);
    p = nullptr;
    capacity = 0;
  }
};

// Bytes that are appended to.
struct Text {
  Room<uint8_t> room;
  int64_t length;

  // Room for `count` bytes more, and for a Lane behind them.
  uint8_t *end(int64_t count) {
    room.reserve(static_cast<size_t>(length + count + 16));
    return room.p + length;
  }
  void put(char c) {
    *end(1) = static_cast<uint8_t>(c);
    length++;
  }
  void put(const void *from, int64_t count) {
    memcpy(end(count), from, static_cast<size_t>(count));
    length += count;
  }
};

}  // namespace ndjson

// Memory that may be refused: whoever asks for too much lands where the library was called, by a jump.
//
// Nothing here has a destructor, so that a jump skips none. A refusal leaves each Room as it was.
#pragma once
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NDJSON_POISONS
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define NDJSON_POISONS
#endif
#ifdef NDJSON_POISONS
#include <sanitizer/asan_interface.h>
#endif
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

// Large blocks that nobody holds, kept for the next row group or task of this process: fresh ones cost the
// kernel's time, page by page.
#ifdef NDJSON_REFUSALS
constexpr size_t POOLED_BYTES = 256;
#else
constexpr size_t POOLED_BYTES = 262'144;
#endif
constexpr size_t MOST_POOLED_BYTES = 100'663'296;
constexpr int POOL_PLACES = 256;

struct Pool {
  struct Spare {
    void *p;
    size_t bytes;
  };
  bool is_locked;
  int count;
  size_t bytes;
  Spare spares[POOL_PLACES];

  // Rows are freed by whichever thread reads them last.
  void lock() {
    while (__atomic_test_and_set(&is_locked, __ATOMIC_ACQUIRE)) {
    }
  }
  void unlock() { __atomic_clear(&is_locked, __ATOMIC_RELEASE); }

  // The smallest block of so many bytes or more, though not far more; null where there is none.
  Spare find(size_t wanted) {
    lock();
    int best = -1;
    for (int i = 0; i < count; i++)
      if (spares[i].bytes >= wanted && spares[i].bytes / 4 <= wanted)
        if (best < 0 || spares[i].bytes < spares[best].bytes) best = i;
    Spare found{nullptr, 0};
    if (best >= 0) {
      found = spares[best];
      bytes -= found.bytes;
      spares[best] = spares[--count];
    }
    unlock();
#ifdef NDJSON_POISONS
    if (found.p) ASAN_UNPOISON_MEMORY_REGION(found.p, found.bytes);
#endif
    return found;
  }
  // Ends the use of a block of at least so many bytes.
  void end(void *p, size_t size) {
    bool is_kept = false;
    if (p && size >= POOLED_BYTES) {
#ifdef NDJSON_POISONS
      ASAN_POISON_MEMORY_REGION(p, size);
#endif
      lock();
      is_kept = count < POOL_PLACES && bytes + size <= MOST_POOLED_BYTES;
      if (is_kept) {
        spares[count++] = Spare{p, size};
        bytes += size;
      }
      unlock();
#ifdef NDJSON_POISONS
      if (!is_kept) ASAN_UNPOISON_MEMORY_REGION(p, size);
#endif
    }
    if (!is_kept) free(p);
  }
};
inline Pool pool;

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
    if (wanted * sizeof(T) >= POOLED_BYTES) {
      const Pool::Spare spare = pool.find(wanted * sizeof(T));
      if (spare.p) {
        if (p) memcpy(spare.p, p, capacity * sizeof(T));
        pool.end(p, capacity * sizeof(T));
        p = static_cast<T *>(spare.p);
        capacity = spare.bytes / sizeof(T);
        return;
      }
    }
    p = static_cast<T *>(requested(p, wanted * sizeof(T)));
    capacity = wanted;
  }
  // Hands the memory over, with its size; the next one is as large from the start.
  T *take(size_t used, size_t &bytes) {
    T *given = p;
    bytes = capacity * sizeof(T);
    p = nullptr;
    capacity = 0;
    usual = used + used / 16;
    return given;
  }
  void drop() {
    pool.end(p, capacity * sizeof(T));
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

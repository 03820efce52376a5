// How many records had something rescued, by place and reason.
#pragma once
#include "memory.h"

namespace ndjson {

// The numbers are known to builder.py.
enum class Reason : int32_t {
  OTHER_KIND,
  NOT_EXACT,
  OUT_OF_RANGE,
  NO_COLUMN,
  NOT_A_NUMBER,
  NOT_STORABLE,
  TOO_DEEP,
};
constexpr int64_t REASONS = 7;

// As the library hands it out; shared with builder.py.
struct Tally {
  int64_t records;
  int64_t last_line;   // the line that was counted last, so that a record counts once
  const char *name;    // an unknown name below the node, decoded; null for the node itself
  int32_t name_length;
  int32_t node;        // -1: names that there was no place for
  int32_t reason;
  int32_t is_in_rest;  // of an unknown name: it may stand in a rest, whether it counts or not
};

// Of more unknown names than that only the sum is told: their number has no bound.
constexpr int64_t MOST_NAMES = 4096;

struct Tallies {
  Room<Tally> all;       // REASONS for each node, one for what has no place, then one for each unknown name
  int64_t fixed, count;
  Room<int64_t> pending; // those of the line, which counts only once it is a record
  int64_t pending_count;
  Room<uint32_t> slots;  // of names; place + 1
  uint32_t mask;
  Text names;            // their bytes
  Room<int64_t> starts;  // of each unknown name in `names`
  Room<Tally> given;

  void open(int64_t nodes) {
    fixed = nodes * REASONS + 1;
    all.reserve(static_cast<size_t>(fixed + MOST_NAMES));
    starts.reserve(static_cast<size_t>(MOST_NAMES));
    mask = 4 * MOST_NAMES - 1;
    slots.reserve(mask + 1);
    count = fixed + 1;
    forget();
  }
  void forget() {
    for (int64_t i = 0; i < fixed; i++)
      all.p[i] = Tally{0, -1, nullptr, 0, static_cast<int32_t>(i / REASONS), static_cast<int32_t>(i % REASONS), 0};
    all.p[fixed - 1].node = -1;
    all.p[fixed - 1].reason = static_cast<int32_t>(Reason::NO_COLUMN);
    if (count > fixed) memset(slots.p, 0, (mask + 1) * sizeof(uint32_t));
    count = fixed;
    pending_count = 0;
    names.length = 0;
  }
  // Counts the line at a place.
  void add(int64_t place, int64_t line) {
    if (all.p[place].last_line == line) return;
    pending.reserve(static_cast<size_t>(pending_count + 1));
    pending.p[pending_count++] = place;
    all.p[place].last_line = line;
  }
  void add(int32_t node, Reason reason, int64_t line) {
    add(node * REASONS + static_cast<int64_t>(reason), line);
  }
  // The place of an unknown name below a node.
  int64_t place_of(int32_t node, const char *name, int32_t length) {
    uint64_t h = 1469598103934665603ull ^ static_cast<uint64_t>(node);
    for (int32_t i = 0; i < length; i++) h = (h ^ static_cast<uint8_t>(name[i])) * 1099511628211ull;
    uint32_t at = static_cast<uint32_t>(h ^ (h >> 32)) & mask;
    for (; slots.p[at]; at = (at + 1) & mask) {
      const int64_t place = fixed + slots.p[at] - 1;
      const Tally &tally = all.p[place];
      if (tally.node == node && tally.name_length == length &&
          !memcmp(names.room.p + starts.p[place - fixed], name, static_cast<size_t>(length)))
        return place;
    }
    if (count - fixed >= MOST_NAMES) return fixed - 1;
    const int64_t start = names.length;
    names.put(name, length);
    starts.p[count - fixed] = start;
    all.p[count] = Tally{0, -1, nullptr, length, node, static_cast<int32_t>(Reason::NO_COLUMN), 0};
    slots.p[at] = static_cast<uint32_t>(count - fixed + 1);
    return count++;
  }
  // The line is a record: true where something of it counts.
  bool settle() {
    for (int64_t i = 0; i < pending_count; i++) all.p[pending.p[i]].records++;
    const bool has_some = pending_count > 0;
    pending_count = 0;
    return has_some;
  }
  // The line is left.
  void revoke() {
    for (int64_t i = 0; i < pending_count; i++) all.p[pending.p[i]].last_line = -1;
    pending_count = 0;
  }
  // Those that say something, in order; valid until the next line.
  int64_t gather() {
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++) {
      if (!all.p[i].records && !all.p[i].is_in_rest) continue;
      given.reserve(static_cast<size_t>(found + 1));
      given.p[found] = all.p[i];
      if (i >= fixed) given.p[found].name = reinterpret_cast<const char *>(names.room.p + starts.p[i - fixed]);
      found++;
    }
    return found;
  }
  void drop() {
    all.drop();
    pending.drop();
    slots.drop();
    names.room.drop();
    starts.drop();
    given.drop();
  }
};

}  // namespace ndjson

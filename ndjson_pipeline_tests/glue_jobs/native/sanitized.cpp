// The native parser under the compiler's sanitizers, without Python: lines of a corpus, whole and mutated, and
// every request for memory refused in turn. Compiled with NDJSON_FUZZER it is libFuzzer's target instead.
//
// A corpus is a file of blocks: a number of 32 bits, then so many bytes. The first is the description of the
// columns, the others are lines.
#include <stdio.h>

#include "library.cpp"

namespace {

struct Bytes {
  char *p;
  int64_t size;
};

struct Corpus {
  Bytes *blocks;
  int64_t count;
};

Corpus read_corpus(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) abort();
  Corpus corpus{nullptr, 0};
  uint32_t size;
  while (fread(&size, sizeof size, 1, file) == 1) {
    corpus.blocks = static_cast<Bytes *>(realloc(corpus.blocks, sizeof(Bytes) * static_cast<size_t>(corpus.count + 1)));
    // Exactly as large as what is in it, so that a read behind it is found.
    char *p = static_cast<char *>(malloc(size ? size : 1));
    if (fread(p, 1, size, file) != size) abort();
    corpus.blocks[corpus.count++] = Bytes{p, static_cast<int64_t>(size)};
  }
  fclose(file);
  if (corpus.count < 1) abort();
  return corpus;
}

void drop_corpus(Corpus corpus) {
  for (int64_t i = 0; i < corpus.count; i++) free(corpus.blocks[i].p);
  free(corpus.blocks);
}

uint64_t random_state = 1;
uint64_t random_number() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

Bytes mutated(Bytes block) {
  int64_t size = block.size;
  char *p = static_cast<char *>(malloc(static_cast<size_t>(size + 16)));
  memcpy(p, block.p, static_cast<size_t>(size));
  for (uint64_t left = random_number() % 4; left && size > 1; left--) {
    const int64_t place = static_cast<int64_t>(random_number() % static_cast<uint64_t>(size));
    constexpr char SIGNS[] = "{}[]\",:\\ \t\r\n0123456789-.eEtfnNIu\xff\xc3";
    switch (random_number() % 4) {
      case 0: p[place] = static_cast<char>(random_number()); break;
      case 1: p[place] = SIGNS[random_number() % (sizeof SIGNS)]; break;
      case 2:
        memmove(p + place, p + place + 1, static_cast<size_t>(size - place - 1));
        size--;
        break;
      default: size = place + 1;
    }
  }
  char *exact = static_cast<char *>(malloc(static_cast<size_t>(size ? size : 1)));
  memcpy(exact, p, static_cast<size_t>(size));
  free(p);
  return Bytes{exact, size};
}

// Reads all that was handed over, as Arrow would.
uint64_t looked_at(const ArrowArray *array) {
  uint64_t sum = static_cast<uint64_t>(array->length + array->null_count + array->n_buffers);
  for (int64_t i = 0; i < array->n_children; i++) sum += looked_at(array->children[i]);
  return sum;
}

Status takes(Builder *b) {
  ArrowArray root, rest;
  Taken taken;
  const int32_t status = ndjson_take(b, &root, &rest, &taken);
  if (status != DONE) return static_cast<Status>(status);
  uint64_t sum = looked_at(&root);
  for (int64_t i = 0; i < taken.tally_count; i++) sum += static_cast<uint64_t>(taken.tallies[i].records);
  ndjson_forget_tallies(b);
  root.release(&root);
  if (taken.has_rest) rest.release(&rest);
  return sum == 1 ? MISFIT : DONE;
}

Refused refused[2];

// Gives all lines of a block; those that are left are skipped.
Status gives(Builder *b, Bytes block, int64_t &lines) {
  int64_t at = 0;
  for (;;) {
    Fed fed;
    const int32_t status = ndjson_feed(b, block.p, block.size, at, &fed, refused, at % 2 ? 2 : 0);
    if (status != DONE) return static_cast<Status>(status);
    if (fed.next < at || fed.next > block.size || fed.lines < fed.rows) abort();
    lines += fed.lines;
    at = fed.next;
    if (!fed.why) break;
    if (fed.left_start < 0 || fed.left_end < fed.left_start || fed.left_end > block.size) abort();
    const int32_t added = ndjson_add(b, "{}", 2, "{\"x\":1}", 7);
    if (added != DONE && added != REFUSED) abort();
    if (added == REFUSED) return REFUSED;
  }
  if (at != block.size) abort();
  return DONE;
}

#ifdef NDJSON_REFUSALS
// Everything once for each request for memory, which is refused; nothing may leak or be half done.
int64_t refuse_each(Corpus corpus, Bytes block) {
  for (int64_t requests = 0;; requests++) {
    ndjson_grant(requests);
    int64_t lines = 0;
    Status status = REFUSED;
    Builder *b = ndjson_open(reinterpret_cast<const uint8_t *>(corpus.blocks[0].p));
    if (b) {
      status = gives(b, block, lines);
      if (status == DONE) status = takes(b);
      Fed fed;
      if (status == REFUSED && ndjson_feed(b, "{}", 2, 0, &fed, nullptr, 0) != BROKEN) abort();
      ndjson_close(b);
    }
    ndjson_grant(-1);
    if (status == DONE) return requests;
    if (status != REFUSED) abort();
  }
}
#endif

}  // namespace

#ifdef NDJSON_FUZZER

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const Corpus corpus = read_corpus(getenv("NDJSON_COLUMNS"));
  static Builder *const b = ndjson_open(reinterpret_cast<const uint8_t *>(corpus.blocks[0].p));
  char *exact = static_cast<char *>(malloc(size ? size : 1));
  memcpy(exact, data, size);
  int64_t lines = 0;
  if (gives(b, Bytes{exact, static_cast<int64_t>(size)}, lines) != DONE || takes(b) != DONE) abort();
  free(exact);
  return 0;
}

#else

// usage: program CORPUS ROUNDS SEED REFUSED_BLOCKS
int main(int, char **arguments) {
  const Corpus corpus = read_corpus(arguments[1]);
  const int64_t rounds = atoll(arguments[2]);
  random_state = static_cast<uint64_t>(atoll(arguments[3])) * 2654435761u + 1;
  int64_t lines = 0;
  Builder *b = ndjson_open(reinterpret_cast<const uint8_t *>(corpus.blocks[0].p));
  for (int64_t round = 0; round < rounds; round++) {
    for (int64_t i = 1; i < corpus.count; i++) {
      const Bytes block = mutated(corpus.blocks[i]);
      if (gives(b, round ? block : corpus.blocks[i], lines) != DONE) abort();
      free(block.p);
    }
    if (takes(b) != DONE || ndjson_rows(b) != 0) abort();
  }
  ndjson_close(b);
  int64_t refusals = 0;
#ifdef NDJSON_REFUSALS
  for (int64_t i = 1; i < corpus.count && i <= atoll(arguments[4]); i++) refusals += refuse_each(corpus, corpus.blocks[i]);
#endif
  drop_corpus(corpus);
  printf("%lld lines, %lld refusals\n", static_cast<long long>(lines), static_cast<long long>(refusals));
  return 0;
}

#endif

// Runs a fuzz target without a fuzzing engine: first every file of its corpus, then mutations of
// them from a printed seed. The same targets link against libFuzzer where clang has it (cmake
// -DPROMOTIOND_LIBFUZZER=ON).
//
//   fuzz_<target> CORPUS [RUNS [SEED]]
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::string;

void feed(const Input& input) {
    // A copy of exactly this size on the heap, so that a read past the end is one the sanitizer
    // sees.
    const std::vector<std::uint8_t> bytes(input.begin(), input.end());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

std::vector<Input> corpus_of(const std::filesystem::path& directory) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    std::vector<Input> inputs;
    for (const auto& file : files) {
        std::ifstream in(file, std::ios::binary);
        inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    return inputs;
}

std::size_t below(std::mt19937_64& random, std::size_t bound) {
    return bound == 0 ? 0 : random() % bound;
}

void mutate(Input& input, const std::vector<Input>& corpus, std::mt19937_64& random) {
    static const std::vector<Input> kWords = {
        "\"",   "{",   "}",  "[",    "]",     "\\u0000", "\xef\xbb\xbf",
        "\r\n", "\n",  ": ", "# ",   "*a",    "&a",      "!!int ",
        "'",    "%00", "..", "\xff", "1e999", "-1",      "99999999999999999999"};
    const std::size_t at = below(random, input.size() + 1);
    switch (below(random, 6)) {
        case 0: input.insert(at, kWords[below(random, kWords.size())]); break;
        case 1:
            if (at < input.size()) input[at] = static_cast<char>(random());
            break;
        case 2: input.erase(at, below(random, 16)); break;
        case 3:
            input.insert(at, input.substr(below(random, input.size() + 1), below(random, 64)));
            break;
        case 4: {
            const Input& other = corpus[below(random, corpus.size())];
            input = input.substr(0, at) + other.substr(below(random, other.size() + 1));
            break;
        }
        default: input.resize(at); break;
    }
}

}  // namespace

int main(int count, char** words) {
    if (count < 2) {
        std::fprintf(stderr, "usage: %s CORPUS [RUNS [SEED]]\n", words[0]);
        return 64;
    }
    const auto corpus = corpus_of(words[1]);
    const std::size_t runs = count > 2 ? std::strtoull(words[2], nullptr, 10) : 2000;
    const std::uint64_t seed = count > 3 ? std::strtoull(words[3], nullptr, 10) : 20221005;
    if (corpus.empty()) {
        std::fprintf(stderr, "no corpus in %s\n", words[1]);
        return 66;
    }
    for (const Input& input : corpus) feed(input);
    std::printf("%zu inputs of the corpus, then %zu mutations, seed %llu\n", corpus.size(), runs,
                static_cast<unsigned long long>(seed));
    std::fflush(stdout);
    std::mt19937_64 random(seed);
    for (std::size_t i = 0; i < runs; ++i) {
        Input input = corpus[below(random, corpus.size())];
        for (std::size_t steps = 1 + below(random, 4); steps > 0; --steps)
            mutate(input, corpus, random);
        feed(input);
    }
    return 0;
}

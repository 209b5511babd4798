// Runs a fuzz target without libFuzzer: every file of the corpus directory, and truncations of each, once. This keeps
// the inputs that once broke a decoder in every test run, with any compiler. An empty corpus is a failure.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t max_truncations = 4096;

std::vector<char> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Copies the bytes into an allocation of exactly their size, so that the address sanitizer sees the first byte too
// many.
void run_once(const std::vector<char>& bytes, std::size_t size) {
  const auto exact = std::make_unique<std::uint8_t[]>(size);
  if (size != 0) {
    std::memcpy(exact.get(), bytes.data(), size);
  }
  LLVMFuzzerTestOneInput(exact.get(), size);
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t inputs = 0;
  std::size_t runs = 0;
  for (int i = 1; i < argc; ++i) {
    std::error_code missing;
    for (const auto& entry : std::filesystem::directory_iterator(argv[i], missing)) {
      const std::vector<char> bytes = read_file(entry.path());
      const std::size_t step = 1 + bytes.size() / max_truncations;
      for (std::size_t size = 0; size < bytes.size(); size += step, ++runs) {
        run_once(bytes, size);
      }
      run_once(bytes, bytes.size());
      ++runs;
      ++inputs;
    }
  }
  std::printf("%zu corpus files, %zu runs\n", inputs, runs);
  return inputs == 0 ? 1 : 0;
}

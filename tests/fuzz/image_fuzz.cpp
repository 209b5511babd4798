// Any file as an image: every page decodes, or the error names the file. Memory is bounded by the reader's limits.
#include <fstream>
#include <string>

#include "apps/imaging/image.hpp"
#include "fuzz/fuzz_input.hpp"
#include "support/temp_dir.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tensorpool;
  constexpr int most_pages = 16;
  static const TempDir dir(fuzzing::scratch_prefix(), "/dev/shm");
  const std::string path = dir.path() + "/image";
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  auto reader = apps::ImageReader::open(path);
  if (!reader) {
    fuzzing::require(reader.error().message.find(path) != std::string::npos);
    return 0;
  }
  for (int page = 0; page < most_pages; ++page) {
    const auto image = reader->next();
    if (!image) fuzzing::require(image.error().message.find(path) != std::string::npos);
    if (!image || !*image) return 0;
    fuzzing::require((*image)->pixels.size() == (*image)->layout.extent_bytes());
  }
  return 0;
}

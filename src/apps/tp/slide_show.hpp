// The images of a directory as frames, one after the other: every page of every file in natural order. Decodes one
// image at a time; what fits a budget is kept, so that further rounds need no decoding. What cannot be read is named
// once and skipped.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "apps/imaging/image.hpp"

namespace tensorpool::apps {

// An image and its CRC from before it touched shared memory.
struct Slide {
  Image image;
  std::uint32_t crc = 0;
};

class SlideShow {
 public:
  using Say = std::function<void(const std::string&)>;  // called with what is skipped, and why

  // `budget_bytes`: of images that are kept. Errors: a directory that cannot be read or holds no image file.
  [[nodiscard]] static Result<SlideShow> open(const std::string& directory, Say say,
                                              std::uint64_t budget_bytes = std::uint64_t{256} << 20);

  // The next image; nothing at the end of a round, behind which the next one begins. An error is a round without any
  // image.
  [[nodiscard]] Result<std::shared_ptr<const Slide>> next();

 private:
  SlideShow(std::string directory, std::vector<std::string> paths, Say say, std::uint64_t budget_bytes);
  [[nodiscard]] std::shared_ptr<const Slide> next_of_files();
  void keep(const std::shared_ptr<const Slide>& slide);
  void skip(const std::string& path, const Error& error);

  std::string directory_;
  std::vector<std::string> paths_;
  Say say_;
  std::uint64_t budget_bytes_;
  std::size_t file_ = 0;
  std::optional<ImageReader> reader_;
  std::set<std::string> named_;
  std::uint64_t of_this_round_ = 0;
  // The first round's images, while they fit; whole_ once it is over and they all did.
  std::vector<std::shared_ptr<const Slide>> kept_;
  std::uint64_t kept_bytes_ = 0;
  bool keeping_ = true;
  bool whole_ = false;
  std::size_t shown_ = 0;
};

}  // namespace tensorpool::apps

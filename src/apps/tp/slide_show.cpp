#include "apps/tp/slide_show.hpp"

#include <utility>

#include "apps/flow/crc32c.hpp"
#include "base/error.hpp"

namespace tensorpool::apps {

Result<SlideShow> SlideShow::open(const std::string& directory, Say say, std::uint64_t budget_bytes) {
  auto list = list_images(directory);
  if (!list) return list.error();
  for (const std::string& line : list->skipped) say("skipped: " + line);
  if (list->paths.empty()) {
    return make_error(ErrorCode::not_found, "{} holds no image; it must hold .png, .tif or .tiff files", directory);
  }
  return SlideShow(directory, std::move(list->paths), std::move(say), budget_bytes);
}

SlideShow::SlideShow(std::string directory, std::vector<std::string> paths, Say say, std::uint64_t budget_bytes)
    : directory_(std::move(directory)), paths_(std::move(paths)), say_(std::move(say)), budget_bytes_(budget_bytes) {}

Result<std::shared_ptr<const Slide>> SlideShow::next() {
  if (whole_) {
    if (shown_ < kept_.size()) return kept_[shown_++];
    shown_ = 0;
    return std::shared_ptr<const Slide>();
  }
  if (auto slide = next_of_files()) {
    ++of_this_round_;
    keep(slide);
    return slide;
  }
  if (std::exchange(of_this_round_, 0) == 0) {
    return make_error(ErrorCode::not_found, "{} holds no image that can be read; what was skipped is named above",
                      directory_);
  }
  file_ = 0;
  whole_ = keeping_;
  return std::shared_ptr<const Slide>();
}

std::shared_ptr<const Slide> SlideShow::next_of_files() {
  for (; file_ < paths_.size(); ++file_, reader_.reset()) {
    const std::string& path = paths_[file_];
    if (!reader_) {
      auto opened = ImageReader::open(path);
      if (!opened) {
        skip(path, opened.error());
        continue;
      }
      reader_ = std::move(*opened);
    }
    auto image = reader_->next();
    if (!image) {
      skip(path, image.error());
    } else if (*image) {
      const std::uint32_t crc = crc32c((*image)->pixels);
      return std::make_shared<const Slide>(Slide{std::move(**image), crc});
    }
  }
  return nullptr;
}

void SlideShow::keep(const std::shared_ptr<const Slide>& slide) {
  if (!keeping_) return;
  kept_bytes_ += slide->image.pixels.size();
  keeping_ = kept_bytes_ <= budget_bytes_;
  if (keeping_) {
    kept_.push_back(slide);
  } else {
    kept_ = {};
  }
}

void SlideShow::skip(const std::string& path, const Error& error) {
  if (named_.insert(path).second) say_("skipped: " + error.message);
}

}  // namespace tensorpool::apps

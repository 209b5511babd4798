// TIFF through libtiff.
#pragma once

#include <memory>
#include <optional>

#include "apps/imaging/image.hpp"
#include "base/unique_fd.hpp"

namespace tensorpool::apps {

// The pages of a file, in order; reduced copies and masks are no pages.
class TiffReader {
 public:
  [[nodiscard]] static Result<TiffReader> open(UniqueFd fd, const std::string& path);
  TiffReader(TiffReader&&) noexcept;
  TiffReader& operator=(TiffReader&&) noexcept;
  ~TiffReader();

  // Nothing behind the last page. After an error the file is to be left.
  [[nodiscard]] Result<std::optional<Image>> next();

 private:
  struct Impl;
  explicit TiffReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

[[nodiscard]] Status save_tiff(const std::string& path, const Image& image);

}  // namespace tensorpool::apps

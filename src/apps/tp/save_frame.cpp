#include "apps/tp/save_frame.hpp"

#include <fmt/format.h>

#include "apps/imaging/output_file.hpp"
#include "apps/imaging/png_file.hpp"
#include "base/error.hpp"

namespace tensorpool::apps {
namespace {

bool is_png_layout(const TensorLayout& layout, std::size_t bytes) {
  const bool plain = layout.dtype == Dtype::uint8 || layout.dtype == Dtype::uint16;
  const bool picture = layout.ndims == 2 || (layout.ndims == 3 && layout.dims[2] == 3);
  if (!plain || !picture || layout.major_order != MajorOrder::row || bytes == 0) return false;
  return TensorLayout::row_major(layout.dtype, layout.shape()).extent_bytes() == bytes;  // no padding between rows
}

}  // namespace

Status save_frame(const std::string& directory, const Frame& frame, std::span<const std::byte> content) {
  const std::string stem = fmt::format("{}/{}-{}-{:08}", directory, frame.stream_id(), frame.epoch(), frame.seq());
  if (is_png_layout(frame.layout(), content.size())) {
    return save_png(stem + ".png", Image{frame.layout(), {content.begin(), content.end()}});
  }
  auto file = OutputFile::create(stem + ".bin");
  if (!file) return file.error();
  file->write(content);
  return file->commit();
}

}  // namespace tensorpool::apps

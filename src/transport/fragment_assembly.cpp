#include "transport/fragment_assembly.hpp"

#include <algorithm>
#include <utility>

namespace tensorpool::transport {

std::optional<std::span<const std::byte>> FragmentAssembly::add(const Fragment& fragment) {
  if (fragment.begins && fragment.ends) return fragment.bytes;
  if (fragment.begins) {
    begin(fragment);
    return std::nullopt;
  }
  const auto at = find(fragment.session_id);
  if (at == partial_.end()) return std::nullopt;
  const bool follows = at->next_position == fragment.begin_position;
  const bool fits = fragment.bytes.size() <= max_assembled_bytes - at->bytes.size();
  if (!follows || !fits) {
    if (follows) ++too_long_;
    partial_.erase(at);
    return std::nullopt;
  }
  at->bytes.insert(at->bytes.end(), fragment.bytes.begin(), fragment.bytes.end());
  at->next_position = fragment.end_position;
  if (!fragment.ends) return std::nullopt;
  whole_ = std::move(at->bytes);
  partial_.erase(at);
  return std::span<const std::byte>(whole_);
}

void FragmentAssembly::begin(const Fragment& fragment) {
  if (const auto old = find(fragment.session_id); old != partial_.end()) partial_.erase(old);
  if (partial_.size() == max_partial_messages) partial_.erase(partial_.begin());
  Partial partial{fragment.session_id, fragment.end_position, std::exchange(whole_, {})};
  partial.bytes.assign(fragment.bytes.begin(), fragment.bytes.end());
  partial_.push_back(std::move(partial));
}

std::vector<FragmentAssembly::Partial>::iterator FragmentAssembly::find(std::int32_t session_id) noexcept {
  return std::find_if(partial_.begin(), partial_.end(),
                      [session_id](const Partial& p) { return p.session_id == session_id; });
}

}  // namespace tensorpool::transport

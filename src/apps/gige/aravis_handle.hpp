// Aravis objects that are released when their owner goes, and its errors as ours.
#pragma once

#include <arv.h>

#include <memory>
#include <string>

#include "base/error.hpp"

namespace tensorpool::apps {

struct GObjectRelease {
  void operator()(gpointer object) const noexcept { g_object_unref(object); }
};
template <class T>
using GObjectHandle = std::unique_ptr<T, GObjectRelease>;

// Collects the GError of one call.
class AravisError {
 public:
  AravisError() = default;
  AravisError(const AravisError&) = delete;
  AravisError& operator=(const AravisError&) = delete;
  ~AravisError() { g_clear_error(&error_); }

  [[nodiscard]] GError** out() noexcept { return &error_; }
  explicit operator bool() const noexcept { return error_ != nullptr; }
  [[nodiscard]] const char* text() const noexcept { return error_ != nullptr ? error_->message : "unknown reason"; }

 private:
  GError* error_ = nullptr;
};

}  // namespace tensorpool::apps

// That a message names what it is about.
#pragma once

#include <gtest/gtest.h>

#include <string>

namespace tensorpool {

inline void expect_says(const std::string& message, const std::string& what) {
  EXPECT_NE(message.find(what), std::string::npos) << message;
}

}  // namespace tensorpool

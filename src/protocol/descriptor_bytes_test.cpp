#include "protocol/descriptor_bytes.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tensorpool::protocol {
namespace {

FrameDescriptor full() {
  FrameDescriptor descriptor;
  descriptor.stream_id = 0x01020304;
  descriptor.epoch = 0x1112131415161718;
  descriptor.seq = 0x2122232425262728;
  descriptor.timestamp_ns = 0x3132333435363738;
  descriptor.meta_version = 0x41424344;
  descriptor.trace_id = 0x5152535455565758;
  return descriptor;
}

DescriptorBytes encoded(const FrameDescriptor& descriptor) {
  DescriptorBytes bytes{};
  EXPECT_EQ(encode(descriptor, bytes), bytes.size());
  return bytes;
}

TEST(DescriptorTemplate, WritesWhatTheCodecWrites) {
  FrameDescriptor descriptor = full();
  const DescriptorTemplate common(descriptor.stream_id, descriptor.epoch);
  DescriptorBytes written{};
  common.write(written.data(), descriptor.seq, *descriptor.timestamp_ns, *descriptor.meta_version, descriptor.trace_id);
  EXPECT_EQ(written, encoded(descriptor));

  descriptor.trace_id.reset();
  common.write(written.data(), descriptor.seq, *descriptor.timestamp_ns, *descriptor.meta_version, descriptor.trace_id);
  EXPECT_EQ(written, encoded(descriptor));
}

TEST(ReadDescriptor, ReadsWhatTheCodecReads) {
  const FrameDescriptor descriptor = full();
  DescriptorFields read;
  ASSERT_TRUE(read_descriptor(encoded(descriptor), read));
  EXPECT_EQ(read, (DescriptorFields{descriptor.stream_id, descriptor.epoch, descriptor.seq, *descriptor.timestamp_ns,
                                    *descriptor.meta_version, *descriptor.trace_id}));

  FrameDescriptor without_options;
  without_options.seq = 3;
  ASSERT_TRUE(read_descriptor(encoded(without_options), read));
  DescriptorFields expected;
  expected.seq = 3;
  EXPECT_EQ(read, expected);
}

TEST(ReadDescriptor, SkipsWhatANewerMinorVersionAdds) {
  const DescriptorBytes bytes = encoded(full());
  std::vector<std::byte> longer(bytes.begin(), bytes.end());
  longer.resize(longer.size() + 8, std::byte{0xFF});
  store_le(longer.data(), static_cast<std::uint16_t>(FrameDescriptor::block_length + 8));
  DescriptorFields read, usual;
  ASSERT_TRUE(read_descriptor(longer, read));
  ASSERT_TRUE(read_descriptor(bytes, usual));
  EXPECT_EQ(read, usual);
}

TEST(ReadDescriptor, RefusesWhatTheCodecRefuses) {
  const DescriptorBytes bytes = encoded(full());
  DescriptorFields read;
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(read_descriptor(std::span(bytes).first(length), read)) << length;
  }
  for (std::size_t i = 0; i < sizeof(MessageHeader); ++i) {
    DescriptorBytes broken = bytes;
    broken[i] ^= std::byte{0x80};
    EXPECT_EQ(read_descriptor(broken, read), decode<FrameDescriptor>(broken).has_value()) << i;
  }
}

}  // namespace
}  // namespace tensorpool::protocol

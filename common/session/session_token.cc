#include "common/session/session_token.h"

#include <xxhash.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "common/status/error.h"

namespace homeport {
namespace {

constexpr uint8_t kFormat = 1;
constexpr size_t kFormatBytes = 4;  // the format and three zeros
constexpr size_t kHeaderBytes = kFormatBytes + sizeof(uint64_t);
constexpr size_t kPositionBytes = 2 * sizeof(uint64_t);
constexpr size_t kChecksumBytes = sizeof(uint32_t);

// Little endian on every machine; compilers make one load or store of it.
template <typename T>
void AppendLittleEndian(T value, std::string& out) {
  static_assert(std::is_unsigned_v<T>);
  for (size_t i = 0; i < sizeof(T); ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

template <typename T>
T ReadLittleEndian(absl::string_view bytes) {
  static_assert(std::is_unsigned_v<T>);
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<T>(static_cast<uint8_t>(bytes[i])) << (8 * i);
  }
  return value;
}

uint32_t Checksum(absl::string_view bytes) {
  return static_cast<uint32_t>(XXH3_64bits(bytes.data(), bytes.size()));
}

absl::Status Damaged(absl::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument, reason::kTokenInvalid,
                   absl::StrCat("options.session_token: ", what),
                   {{"field", "options.session_token"}});
}

struct OriginLess {
  bool operator()(const SessionToken::Position& position, Origin origin) const {
    return position.origin < origin;
  }
};

}  // namespace

uint64_t ClusterFingerprint(absl::string_view cluster) {
  return XXH3_64bits(cluster.data(), cluster.size());
}

absl::StatusOr<SessionToken> SessionToken::Parse(absl::string_view bytes,
                                                 uint64_t cluster_fingerprint) {
  SessionToken token;
  if (bytes.empty()) return token;
  if (bytes.size() < kHeaderBytes + kChecksumBytes ||
      (bytes.size() - kHeaderBytes - kChecksumBytes) % kPositionBytes != 0) {
    return Damaged(absl::StrCat("a token can not be ", bytes.size(), " bytes long"));
  }
  const size_t count = (bytes.size() - kHeaderBytes - kChecksumBytes) / kPositionBytes;
  if (count > kPositionsMax) {
    return Damaged(absl::StrCat(count, " positions are over the limit of ", kPositionsMax));
  }
  // The checksum first: with damaged bytes every later answer would be a guess.
  const absl::string_view body = bytes.substr(0, bytes.size() - kChecksumBytes);
  if (ReadLittleEndian<uint32_t>(bytes.substr(body.size())) != Checksum(body)) {
    return Damaged("its checksum does not match: it was altered or cut");
  }
  if (ReadLittleEndian<uint32_t>(body) != kFormat) return Damaged("its format is not known");
  const uint64_t cluster = ReadLittleEndian<uint64_t>(body.substr(kFormatBytes));
  if (cluster != cluster_fingerprint) {
    return MakeError(absl::StatusCode::kFailedPrecondition, reason::kTokenForeign,
                     "session_token: it was made by another cluster",
                     {{"cluster", absl::StrCat(absl::Hex(cluster, absl::kZeroPad16))}});
  }
  token.positions_.reserve(count);
  for (size_t at = kHeaderBytes; at < body.size(); at += kPositionBytes) {
    const Position position{Origin(ReadLittleEndian<uint64_t>(body.substr(at))),
                            Sequence(ReadLittleEndian<uint64_t>(body.substr(at + 8)))};
    if (position.origin.value() == 0 || position.sequence.value() == 0) {
      return Damaged("it has an empty position");
    }
    if (!token.positions_.empty() && !(token.positions_.back().origin < position.origin)) {
      return Damaged("its positions are not in order");
    }
    token.positions_.push_back(position);
  }
  return token;
}

std::string SessionToken::Serialize(uint64_t cluster_fingerprint) const {
  std::string bytes;
  bytes.reserve(kHeaderBytes + positions_.size() * kPositionBytes + kChecksumBytes);
  AppendLittleEndian<uint32_t>(kFormat, bytes);
  AppendLittleEndian(cluster_fingerprint, bytes);
  for (const Position& position : positions_) {
    AppendLittleEndian(position.origin.value(), bytes);
    AppendLittleEndian(position.sequence.value(), bytes);
  }
  AppendLittleEndian(Checksum(bytes), bytes);
  return bytes;
}

void SessionToken::Advance(Origin origin, Sequence sequence) {
  if (sequence.value() == 0) return;
  auto it = std::lower_bound(positions_.begin(), positions_.end(), origin, OriginLess());
  if (it == positions_.end() || it->origin != origin) {
    positions_.insert(it, Position{origin, sequence});
  } else if (it->sequence < sequence) {
    it->sequence = sequence;
  }
}

void SessionToken::Merge(const SessionToken& other) {
  for (const Position& position : other.positions_) Advance(position.origin, position.sequence);
}

void SessionToken::Drop(Origin origin) {
  auto it = std::lower_bound(positions_.begin(), positions_.end(), origin, OriginLess());
  if (it != positions_.end() && it->origin == origin) positions_.erase(it);
}

Sequence SessionToken::SequenceOf(Origin origin) const {
  auto it = std::lower_bound(positions_.begin(), positions_.end(), origin, OriginLess());
  return it != positions_.end() && it->origin == origin ? it->sequence : Sequence(0);
}

}  // namespace homeport

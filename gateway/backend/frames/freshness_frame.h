// How far a replica is behind, as the stream carries it.
#pragma once

#include <memory>

#include "common/store/freshness.h"
#include "homeport/internal/v1/forwarding.pb.h"

namespace homeport {

// Writers that one message names at most; what is beyond is left out and counts as not known.
inline constexpr int kFreshnessWritersMax = 1024;

// Empty for null.
internal::v1::StoreFreshness FreshnessToWire(
    const std::shared_ptr<const StoreFreshness>& freshness);
// Came at `now`. Times that make no sense become the nearest that do.
std::shared_ptr<const StoreFreshness> FreshnessFromWire(const internal::v1::StoreFreshness& wire,
                                                        SteadyTime now);

}  // namespace homeport

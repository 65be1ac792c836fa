// MaxMind DB files as sources of places.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "gateway/geo/geo_locator.h"
#include "gateway/geo/mmdb/sealed_file.h"

namespace homeport {

// One MMDB file, of MaxMind's nested schema or of a flat one (mmdb_record.h), for IPv4, IPv6 or
// both.
//
// The file is copied into sealed memory, and the copy is checked whole before it is used: metadata,
// every node of the search tree, every record. So what is opened never fails later, whatever
// happens to the file. Immutable and thread-safe; the last owner's release frees the copy.
class MmdbDatabase final : public GeoDatabase {
 public:
  // At most this many distinct records are decoded when the file is opened; look-ups of these copy
  // a Place. A country's database has about 250. Records beyond it are decoded at each look-up.
  static constexpr size_t kPreparedRecordsMax = 4096;
  // Values that the check decodes in all before it gives up. A city database has some 10^8.
  static constexpr uint64_t kElementsTotalMax = uint64_t{1} << 31;

  // `credit` is what the data's licence asks to be shown. Every error has reason
  // GEO_DATABASE_INVALID and names the path: the codes of SealedFile::Copy(), and DATA_LOSS for
  // what is no MMDB file, is damaged, or says nothing of any place.
  static absl::StatusOr<std::shared_ptr<const MmdbDatabase>> Open(const std::string& path,
                                                                  const std::string& credit);
  ~MmdbDatabase() override;

  bool Lookup(const IpAddress& address, Place& place) const override;
  const std::shared_ptr<const GeoDatabaseInfo>& info() const override { return info_; }

  // Of the file when it was copied.
  const FileSignature& signature() const { return file_.signature(); }
  // True if both have the same bytes.
  bool SameContent(const MmdbDatabase& other) const;

 private:
  struct Handle;

  explicit MmdbDatabase(SealedFile file);

  SealedFile file_;
  std::unique_ptr<const Handle> handle_;
  std::shared_ptr<const GeoDatabaseInfo> info_;
};

}  // namespace homeport

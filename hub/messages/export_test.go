package messages

// JobLost is when a job without a beat is another hub's.
const JobLost = jobLost

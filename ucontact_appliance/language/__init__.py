"""What findings and screens say, in the reader's language. The sources speak English."""

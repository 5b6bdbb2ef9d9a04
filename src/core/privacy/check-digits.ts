/** Check digits tell an identifier from a number that merely looks like one. All take digits or letters alone. */

/** ISO/IEC 7812-1: the digit sum, every second digit from the right doubled, divides by ten. */
export function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let at = 0; at < digits.length; at += 1) {
    const digit = Number(digits[digits.length - 1 - at]);
    const doubled = digit * 2;
    sum += at % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** ISO 13616: the first four characters moved to the end, letters as 10 to 35, the remainder by 97 is 1. */
export function passesIban(compact: string): boolean {
  let remainder = 0;
  for (const character of compact.slice(4) + compact.slice(0, 4)) {
    const value = Number.parseInt(character, 36);
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97;
  }
  return remainder === 1;
}

/** Brazil's CPF: two digits, each the weighted sum of those before it. */
export function passesCpf(digits: string): boolean {
  if (/^(\d)\1*$/.test(digits)) return false;
  return [9, 10].every((length) => {
    let sum = 0;
    for (let at = 0; at < length; at += 1) sum += Number(digits[at]) * (length + 1 - at);
    return ((sum * 10) % 11) % 10 === Number(digits[length]);
  });
}

/** Spain's DNI and NIE: the number by 23 names the letter. */
export function passesDni(compact: string): boolean {
  const digits = compact.slice(0, -1).replace(/^[XYZ]/, (first) => String("XYZ".indexOf(first)));
  return "TRWAGMYFPDXBNJZSQVHLCKE"[Number(digits) % 23] === compact.at(-1);
}

/** France's NIR: 97 less the remainder of thirteen digits by 97. */
export function passesNir(digits: string): boolean {
  return 97 - Number(BigInt(digits.slice(0, 13)) % 97n) === Number(digits.slice(13));
}

/** Germany's tax number, by ISO 7064 MOD 11,10. */
export function passesSteuerId(digits: string): boolean {
  let product = 10;
  for (const digit of digits.slice(0, 10)) {
    const sum = (Number(digit) + product) % 10 || 10;
    product = (sum * 2) % 11;
  }
  return (11 - product) % 10 === Number(digits[10]);
}

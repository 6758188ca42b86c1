// The plain fields of the convenience calls -> TikTok's properties. One rule for all of them: a field
// lands where TikTok looks for it.

export const propertiesOf = (fields) => {
  const { price, quantity, planName, billingCycle, orderId } = fields
  const name = fields.contentName ?? (planName && (billingCycle ? `${planName} (${billingCycle})` : planName))
  const id = fields.contentId ?? fields.planId ?? (name && orderId)
  const value = fields.value ?? total(price, quantity ?? 1)
  const content = id || name
  return {
    ...(content && {
      contents: [
        {
          content_id: id,
          content_type: 'product',
          content_name: name,
          content_category: fields.category,
          brand: fields.brand,
          price: price ?? (quantity > 1 ? undefined : value),
          quantity: quantity ?? 1,
        },
      ],
      content_type: 'product',
    }),
    value,
    currency: fields.currency,
    order_id: orderId,
    search_string: fields.query,
    description: fields.description,
    // TikTok has no place for these; the proxy's orders have.
    plan_id: fields.planId,
    billing_cycle: billingCycle,
  }
}

// Tenths have no exact form in binary: 3 * 0.1 is to stay 0.3.
const total = (price, quantity) => (price == null ? undefined : +(price * quantity).toFixed(6))
